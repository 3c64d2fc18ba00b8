//! A download as it happens: the link drops, bits flip on the way and in the slot, and it goes on.

use embedded_io::Write;
use lockgate::sim::Error as Fault;
use lockgate::{Block, Control, Error, Refusal, Slot, UpdateState, Updater, Verified, Workspace};

use super::cuts::Chip;
use super::life::{broken, Cycle, Stop};
use super::world::Seen;

/// Tries in one power cycle: more than links drop, bits flip and operations fail.
const TRIES: u32 = 16;

impl<C: Chip> Cycle<'_, '_, C> {
    /// Downloads an image; nothing if there is no more of it today. If not `whole`, the link drops once, for good.
    pub(super) fn update(&mut self, image: usize, running: Slot, whole: bool) -> Result<Option<Verified>, Stop> {
        let world = self.world;
        let running_image = self.model(|model| model.confirmed);
        let staged = self.model(|model| model.staged) == Some(image);
        let before = self.model(|model| model.offer(image));
        if before > 0 {
            self.rots(running.other(), image, 12);
        }
        let hostile = self.hostile;
        let (mut drops, mut tampers) = (self.rng.below(3), self.rng.below(2));
        let mut rng = self.rng.clone();
        self.rng.next();
        let model = self.chip.model().clone();
        let status = Control::new(world.device, &mut *self.chip).status()?;
        let (mut block, mut workspace) = (Block::<16_384>::new(), Workspace::<512>::new());
        let updater: Updater<'_, _, Seen> =
            Updater::with_verifier(world.device, &mut *self.chip, &mut block, world.seen.clone());
        let mut updater = updater.workspace(&mut workspace);
        if staged && status.update == UpdateState::Receiving {
            // The receipt was lost with power: the slot still has all it needs.
            return Ok(Some(updater.staged()?));
        }
        let package = world.images[image].package(running_image).bytes();
        let mut resumed = false;
        for _ in 0..TRIES {
            let at = updater.position() as usize;
            let mut sent = package[at..].to_vec();
            if !whole || (hostile && drops > 0) {
                drops = drops.saturating_sub(1);
                sent.truncate(rng.below(sent.len() as u64 + 1) as usize);
            }
            let spoilt = hostile && tampers > 0 && !sent.is_empty();
            if spoilt {
                tampers -= 1;
                let bit = rng.below(sent.len() as u64 * 8) as usize;
                sent[bit / 8] ^= 1 << (bit % 8);
            }
            let mut rest = &sent[..];
            let outcome = loop {
                if rest.is_empty() {
                    break updater.finish();
                }
                let (piece, behind) = rest.split_at(rest.len().min(500));
                let written = updater.write_all(piece);
                let progress = updater.progress();
                if progress.image.is_some() {
                    if !resumed {
                        resumed = true;
                        if progress.written < before.saturating_sub(world.slack()) {
                            broken!("resumed at {}, {before} were written before", progress.written);
                        }
                    }
                    model.borrow_mut().receives(image, progress.written);
                }
                match written {
                    Ok(()) => rest = behind,
                    Err(error) => break Err(error),
                }
            };
            match outcome {
                Ok(verified) => {
                    model.borrow_mut().stored(image);
                    return Ok(Some(verified));
                }
                Err(Error::Flash(Fault::PowerCut)) => return Err(Stop::Cut),
                Err(Error::Truncated { .. }) if hostile => {}
                // What rotted is written anew.
                Err(Error::Refused(Refusal::ImageDigest)) if model.borrow().rotten => {
                    model.borrow_mut().written = None;
                }
                Err(Error::Refused(refusal)) if spoilt && !matches!(refusal, Refusal::ImageDigest) => {
                    updater.disconnected();
                }
                Err(error) => match Stop::from(error) {
                    // It may have cost the checkpoint, or come after what was asked for was void.
                    Stop::Failed(_) if hostile => {
                        let mut model = model.borrow_mut();
                        model.cut();
                        model.written = None;
                    }
                    stop => return Err(stop),
                },
            }
            if !whole || (hostile && rng.one_in(8)) {
                return Ok(None);
            }
        }
        broken!("image {image} is sent again and again, and never accepted")
    }
}
