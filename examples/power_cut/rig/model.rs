//! What must be true of a device, whatever was cut: the model. It knows what the application asked for, and nothing of
//! records or flash.

use lockgate::{BootReason, BootStatus, Reason, UpdateState};

/// What the application has asked for so far.
#[derive(Clone, Debug)]
pub struct Model {
    /// The image that is confirmed; the last one whose `confirm` returned, or was seen to have taken effect.
    pub confirmed: usize,
    /// The image that was asked to be tried and has not come to an end.
    pub candidate: Option<usize>,
    /// `confirm` was called for it, and has not returned.
    pub confirming: bool,
    /// Starts of the candidate, cuts since it was asked for, and whether it said that it does not work.
    pub starts: u8,
    pub cuts: u8,
    pub rejected: bool,
    /// Per image: it is confirmed, or failed.
    pub finished: Vec<bool>,
    /// Per image: it is or was confirmed.
    pub kept: Vec<bool>,
    /// The update under way, and its bytes that were written.
    pub written: Option<(usize, u32)>,
    /// The image was verified, and its receipt may have been lost.
    pub staged: Option<usize>,
    /// The image that failed last.
    pub failed: Option<usize>,
    /// A bit of the update under way, or of the image on trial, may have rotted.
    pub rotten: bool,
}

impl Model {
    pub fn new(images: usize) -> Self {
        let mut finished = vec![false; images];
        finished[0] = true;
        Self {
            confirmed: 0,
            candidate: None,
            confirming: false,
            starts: 0,
            cuts: 0,
            rejected: false,
            kept: finished.clone(),
            finished,
            written: None,
            staged: None,
            failed: None,
            rotten: false,
        }
    }

    /// The first image of the vendor's that has not come to an end here.
    pub fn next(&self) -> Option<usize> {
        self.finished.iter().position(|finished| !finished)
    }

    /// The boot stage starts `image`, and the records say why: whether it may.
    pub fn started(&mut self, image: usize, status: &BootStatus, limit: u8) -> Result<(), String> {
        match status.reason {
            BootReason::Trial { attempt, limit: said } => {
                if self.candidate != Some(image) {
                    return Err(format!("image {image} is on trial, {:?} was asked for", self.candidate));
                }
                self.starts += 1;
                self.confirming = false;
                if self.starts > limit || attempt > said || said != limit || attempt < self.starts {
                    return Err(format!("start {} of image {image}, said to be {attempt} of {said}", self.starts));
                }
            }
            BootReason::Confirmed | BootReason::Reverted(_) => {
                let kept = self.confirming && self.candidate == Some(image);
                if image != self.confirmed && !kept {
                    return Err(format!("image {image} is started as confirmed, {} is", self.confirmed));
                }
                if kept {
                    self.keep(image);
                } else if let Some(candidate) = self.candidate {
                    self.given_up(candidate, status, limit)?;
                }
                (self.candidate, self.confirming) = (None, false);
            }
            other => return Err(format!("image {image} is started for an unknown reason: {other:?}")),
        }
        Ok(())
    }

    /// `image` is confirmed for good.
    pub fn keep(&mut self, image: usize) {
        (self.confirmed, self.candidate, self.confirming) = (image, None, false);
        (self.finished[image], self.kept[image]) = (true, true);
    }

    /// The old image runs, and `candidate` was asked for: it must have had its attempts, each ended by itself or by a cut,
    /// or a reason to fail; or what asked for it was cut, and it is still in its slot.
    fn given_up(&mut self, candidate: usize, status: &BootStatus, limit: u8) -> Result<(), String> {
        let spent = self.starts + self.cuts.min(limit);
        let right = match status.reason {
            _ if status.update == UpdateState::Receiving => {
                return (self.starts == 0 && self.cuts > 0).then_some(()).ok_or(format!("{candidate} was not tried"));
            }
            BootReason::Reverted(Reason::NotConfirmed) => spent >= limit,
            BootReason::Reverted(Reason::Rejected) => self.rejected,
            BootReason::Reverted(Reason::Invalid) => self.rotten,
            _ => false,
        };
        if !right {
            return Err(format!("image {candidate} is given up after {} starts: {status:?}", self.starts));
        }
        // One that rotted before it ever ran may come again.
        let never_ran = status.reason == BootReason::Reverted(Reason::Invalid) && self.starts == 0;
        self.failed = (!never_ran).then_some(candidate);
        (self.rotten, self.finished[candidate]) = (false, true);
        Ok(())
    }

    /// `image` is offered. Gives its bytes that are written; of another there may be none from here on.
    pub fn offer(&mut self, image: usize) -> u32 {
        self.written = self.written.filter(|(of, _)| *of == image);
        self.written.map_or(0, |(_, written)| written)
    }

    /// So much of `image` is written: what was asked for, or in the slot, before is no more.
    pub fn receives(&mut self, image: usize, written: u32) {
        (self.candidate, self.staged, self.written) = (None, None, Some((image, written)));
    }

    /// All of `image` is written and verified.
    pub fn stored(&mut self, image: usize) {
        (self.written, self.staged, self.rotten) = (None, Some(image), false);
    }

    /// A trial of `image` is asked for.
    pub fn ask(&mut self, image: usize) {
        (self.candidate, self.staged) = (Some(image), None);
        (self.starts, self.cuts, self.rejected) = (0, 0, false);
    }

    /// Power failed.
    pub fn cut(&mut self) {
        self.cuts = self.cuts.saturating_add(1);
    }
}
