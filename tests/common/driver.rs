//! A driver of the machine that can be stopped anywhere.

use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};
use lockgate::sim::Flash;
use lockgate::{Ack, Decision, Error, Machine, Sha256, Step, Verified, P256};

/// Does what the machine asks for, `steps` times at the most, with `bytes` of a package. Gives the error that ended it, or
/// none.
pub fn drive<H: Sha256>(
    machine: &mut Machine<'_, H>,
    flash: &mut Flash,
    mut bytes: &[u8],
    steps: usize,
) -> Option<Error> {
    for _ in 0..steps {
        let done = match machine.step() {
            Err(error) => return Some(error),
            Ok(Step::Receive) if bytes.is_empty() => return None,
            Ok(Step::Receive) => machine.feed(bytes).map(|taken| bytes = &bytes[taken..]),
            Ok(Step::Verify(job)) => {
                let outcome = job.check(&mut P256);
                machine.ack(Ack::Signature(&outcome))
            }
            Ok(Step::Offer) => machine.ack(Ack::Decision(Decision::Accept)),
            Ok(Step::Erase { from, to }) => {
                flash.erase(from, to).unwrap();
                machine.ack(Ack::Done)
            }
            Ok(Step::Write { at, bytes }) => {
                flash.write(at, bytes).unwrap();
                machine.ack(Ack::Done)
            }
            Ok(Step::Read { at, len }) => {
                assert!(len > 0, "nothing is to be read at {at:#x}");
                let mut read = vec![0; len.min(256) as usize];
                flash.read(at, &mut read).unwrap();
                machine.ack(Ack::Read(&read))
            }
            Ok(Step::Stored | Step::Complete) => return None,
        };
        if let Err(error) = done {
            return Some(error);
        }
    }
    None
}

/// Goes on with `package` where the machine wants it, until it gives the receipt.
pub fn complete<H: Sha256>(machine: &mut Machine<'_, H>, flash: &mut Flash, package: &[u8]) -> Verified {
    for _ in 0..3 {
        let at = machine.position();
        machine.stream_at(at).unwrap();
        match drive(machine, flash, &package[at as usize..], usize::MAX) {
            None => break,
            Some(Error::Interrupted) => {}
            Some(error) => panic!("{error}"),
        }
    }
    machine.finish().unwrap();
    assert!(drive(machine, flash, &[], usize::MAX).is_none());
    machine.receipt().unwrap()
}
