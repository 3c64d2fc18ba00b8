//! What a cut may leave behind.
//!
//! One [`Outcome`] means something for a write and for an erase alike, so a test walks all steps of an update
//! with all of [`Outcome::CLASSES`] and need not know which steps erase.

/// How much of the torn step took place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Landed {
    /// No bit changed.
    Nothing,
    /// The first so many bytes of the unit are programmed, or of the sector erased; the others are as before.
    Prefix(u32),
    /// Any of the pending bits, by chance: a unit half programmed, a sector that is a mix of old and erased.
    Subset,
    /// Every bit, but the operation was never seen to complete.
    All,
}

impl Landed {
    /// The bits stay as they landed.
    pub const fn stable(self) -> Outcome {
        self.with(Stability::Stable)
    }

    /// The pending bits are shown as they landed at the next power-on and at random after every later one.
    pub const fn metastable(self) -> Outcome {
        self.with(Stability::Metastable)
    }

    /// One of the pending bits, by chance, reads at random after each power-on; the others stay as they landed.
    pub const fn marginal(self) -> Outcome {
        self.with(Stability::Marginal)
    }

    /// The unit reads as an error; of a sector, some units do, one at least.
    pub const fn read_error(self) -> Outcome {
        self.with(Stability::ReadError)
    }

    const fn with(self, stability: Stability) -> Outcome {
        Outcome { landed: self, stability }
    }
}

/// How the torn bits read afterwards, until an erase completes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stability {
    /// The same every time.
    Stable,
    /// The same within one power cycle only. The first one shows what landed, so a test chooses what recovery
    /// sees before the ground moves: [`Landed::All`] looks whole (or erased) once, [`Landed::Nothing`]
    /// untouched.
    Metastable,
    /// The same, but for one bit that is drawn at every power-on, the next one too: a record that looks torn in one boot
    /// and whole in the next.
    Marginal,
    /// As an error, as flash with an error correcting code does.
    ReadError,
}

/// What a cut, or a stall, leaves in the unit or sector that was being worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How much took place.
    pub landed: Landed,
    /// How it reads afterwards.
    pub stability: Stability,
}

impl Outcome {
    /// A sector that reads erased after the next power-on, and after later ones only sometimes.
    pub const HALF_ERASED: Self = Landed::All.metastable();

    /// One outcome of every class.
    pub const CLASSES: &'static [Self] = &[
        Landed::Nothing.stable(),
        Landed::Nothing.metastable(),
        Landed::Nothing.read_error(),
        Landed::Prefix(1).stable(),
        Landed::Prefix(1).metastable(),
        Landed::Prefix(1).read_error(),
        Landed::Subset.stable(),
        Landed::Subset.metastable(),
        Landed::Subset.read_error(),
        Landed::All.stable(),
        Landed::All.metastable(),
        Landed::All.marginal(),
        Landed::All.read_error(),
    ];

    /// Whether the step left no trace at all, so that the cells are what they were.
    pub(super) fn is_void(self) -> bool {
        self == Landed::Nothing.stable()
    }
}

/// Why a step is torn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Cut,
    Stall,
}

/// The one planned interruption.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) step: u64,
    pub(super) outcome: Outcome,
    pub(super) cause: Cause,
    pub(super) fired: bool,
}
