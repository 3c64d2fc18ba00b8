//! What must be true of a device, whatever was cut: the model. It knows what the application asked for, and nothing of
//! records or flash.

use lockgate::{BootReason, Reason};

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
    /// Bytes of the update under way that were written when power was lost, the update they belong to, and the cuts in
    /// a row since then.
    pub written: Option<(usize, u32)>,
    /// The image was verified, and its receipt may have been lost.
    pub staged: Option<usize>,
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
        }
    }

    /// The first image of the vendor's that has not come to an end here.
    pub fn next(&self) -> Option<usize> {
        self.finished.iter().position(|finished| !finished)
    }

    /// The boot stage starts `image`: whether it may.
    pub fn started(&mut self, image: usize, reason: BootReason, limit: u8) -> Result<(), String> {
        match reason {
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
                    self.given_up(candidate, reason, limit)?;
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

    /// The old image runs, and `candidate` was asked for. If it was tried, it must have had its attempts, each ended by
    /// itself or by a cut; if not, what asked for it was cut.
    fn given_up(&mut self, candidate: usize, reason: BootReason, limit: u8) -> Result<(), String> {
        let spent = self.starts + self.cuts.min(limit);
        match reason {
            BootReason::Reverted(Reason::NotConfirmed | Reason::Rejected) if spent >= limit || self.rejected => {
                self.finished[candidate] = true;
            }
            _ if self.starts == 0 && self.cuts > 0 => {}
            _ => return Err(format!("image {candidate} is given up after {} starts: {reason:?}", self.starts)),
        }
        Ok(())
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
