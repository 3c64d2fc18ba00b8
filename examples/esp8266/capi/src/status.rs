//! What runs and why; keep it, or go back.

use lockgate::{BootReason, BootStatus, Control, Error, Reason, Slot, UpdateState};

use crate::device::DeviceC;
use crate::error::{self, Code, Report};
use crate::flash::{Flash, FlashError};
use crate::header::number;

/// `lockgate_status_t`
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Status {
    security_counter: u32,
    slot: u8,
    reason: u8,
    attempt: u8,
    attempts: u8,
    reverted: u8,
    update: u8,
    recorded: u8,
    reserved: u8,
}

const _: () = assert!(size_of::<Status>() == number("LOCKGATE_STATUS_SIZE") as usize);

/// A number of the header that fits a byte.
const fn byte(name: &str) -> u8 {
    let number = number(name);
    assert!(number < 256);
    number as u8
}

impl From<BootStatus> for Status {
    fn from(status: BootStatus) -> Self {
        let (mut attempt, mut attempts, mut reverted) = (0, 0, 0);
        let reason = match status.reason {
            BootReason::Trial { attempt: this, limit } => {
                (attempt, attempts) = (this, limit);
                const { byte("LOCKGATE_ON_TRIAL") }
            }
            BootReason::Reverted(why) => {
                reverted = reverted_by(why);
                const { byte("LOCKGATE_REVERTED") }
            }
            _ => const { byte("LOCKGATE_CONFIRMED") },
        };
        let update = match status.update {
            UpdateState::Receiving => const { byte("LOCKGATE_UPDATE_RECEIVING") },
            UpdateState::Pending => const { byte("LOCKGATE_UPDATE_PENDING") },
            UpdateState::Trial => const { byte("LOCKGATE_UPDATE_ON_TRIAL") },
            _ => const { byte("LOCKGATE_UPDATE_NONE") },
        };
        Self {
            security_counter: status.security_counter,
            slot: match status.running {
                Slot::A => const { byte("LOCKGATE_SLOT_A") },
                Slot::B => const { byte("LOCKGATE_SLOT_B") },
            },
            reason,
            attempt,
            attempts,
            reverted,
            update,
            recorded: u8::from(status.recorded),
            reserved: 0,
        }
    }
}

fn reverted_by(reason: Reason) -> u8 {
    match reason {
        Reason::NotConfirmed => const { byte("LOCKGATE_REVERTED_NOT_CONFIRMED") },
        Reason::Invalid => const { byte("LOCKGATE_REVERTED_INVALID") },
        Reason::Rejected => const { byte("LOCKGATE_REVERTED_REJECTED") },
        Reason::Fallback => const { byte("LOCKGATE_REVERTED_FALLBACK") },
        // Another bootloader has no part here; nor has a reason that came later than this.
        _ => const { byte("LOCKGATE_REVERTED_FOREIGN") },
    }
}

pub(crate) fn read(device: Option<&DeviceC>) -> Result<Status, Code> {
    let parts = device.ok_or(error::ARGUMENT)?.read()?;
    let mut outcome = Err(error::OTHER);
    _ = parts.stack.run(|| {
        let status = Control::new(&parts.device, parts.flash).status();
        outcome = status.map(Status::from).map_err(|error| Report::from(&error).code);
        error::OK
    });
    outcome
}

pub(crate) fn change(
    device: Option<&DeviceC>,
    change: impl FnOnce(&mut Control<'_, Flash>) -> Result<(), Error<FlashError>>,
) -> Code {
    let parts = match device.ok_or(error::ARGUMENT).and_then(DeviceC::read) {
        Ok(parts) => parts,
        Err(code) => return code,
    };
    parts.stack.run(|| match change(&mut Control::new(&parts.device, parts.flash)) {
        Ok(()) => error::OK,
        Err(error) => Report::from(&error).code,
    })
}
