//! The boot stage, and what it starts: lockgate's own, on a flash in a file or in memory.

use lockgate::boot::{Boot, Launch, NoImage, Platform};
use lockgate::{BootReason, Control, Device, KeySet, PublicKey, Slot, UpdateState, Uuid, P256};
use serde_json::{json, Value};

use crate::board::Board;
use crate::flash_file::FileFlash;
use crate::slots::{self, SlotState};

/// What a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) vendor: Uuid,
    pub(crate) class: Uuid,
    pub(crate) component: u16,
}

impl Identity {
    /// A device of the kind that the image in `first` is made for; of the one in the other slot, if there is none.
    pub(crate) fn of(found: &[SlotState; 2], first: Slot) -> Option<Self> {
        let image = slots::named(found, first).or_else(|| slots::named(found, first.other()))?;
        let manifest = image.manifest;
        Some(Self { vendor: manifest.vendor, class: manifest.class, component: manifest.component })
    }
}

/// Stands where a key must be and none is asked for anything.
const NO_KEY: &[PublicKey] = &[PublicKey([0; 64])];

/// A device on this board. Without `keys` it can take no update; without an identity it is only a hold on its records.
pub(crate) fn device(board: &Board, identity: Option<Identity>, keys: Option<KeySet<'static>>) -> Device<'static> {
    const NOBODY: Uuid = Uuid([0; 16]);
    let identity = identity.unwrap_or(Identity { vendor: NOBODY, class: NOBODY, component: 0 });
    let Identity { vendor, class, component } = identity;
    let [a, b] = board.load_addresses();
    let keys = keys.unwrap_or(KeySet::new(1, NO_KEY));
    Device::new(board.layout(), vendor, class, keys).component(component).load_addresses(a, b)
}

/// What came of a boot.
pub(crate) struct Started {
    pub(crate) launch: Result<Launch, NoImage>,
    /// The watchdog was armed.
    pub(crate) watchdog: bool,
}

/// Runs the boot stage; `signatures` has it check them as well. What it does to the flash stays done.
pub(crate) fn run(device: &Device<'_>, flash: &mut FileFlash, signatures: bool) -> Started {
    let mut bench = Bench { armed: false };
    let launch = match signatures {
        true => Boot::with_signatures(device, flash, &mut bench, P256).select(),
        false => Boot::new(device, flash, &mut bench).select(),
    };
    Started { launch, watchdog: bench.armed }
}

/// What the boot stage would start next on a flash that holds `bytes`: tried on a copy. The slot is the one in which
/// the image lies now, which an exchange may change.
pub(crate) fn next(
    board: &Board,
    bytes: &[u8],
    slots: &[SlotState; 2],
    keys: &KeySet<'static>,
) -> Option<(Slot, BootReason)> {
    let mut flash = FileFlash::holding(board, bytes);
    let confirmed = Control::new(&device(board, None, None), &mut flash).status().map_or(Slot::A, |now| now.confirmed);
    let device = device(board, Identity::of(slots, confirmed), Some(*keys));
    let launch = run(&device, &mut flash, true).launch.ok()?;
    let started = flash.bytes().get(launch.address as usize..).unwrap_or_default();
    let holds = |&slot: &Slot| {
        let start = board.layout().slot_range(slot).start as usize;
        let image = slots::named(slots, slot).filter(|image| image.intact);
        let size = image.map_or(0, |image| image.manifest.image_size as usize);
        let image = bytes.get(start..).and_then(|bytes| bytes.get(..size)).unwrap_or_default();
        !image.is_empty() && started.starts_with(image)
    };
    // Where both slots hold the image, the one that is started.
    let slot = [launch.slot, launch.slot.other()].into_iter().find(holds)?;
    Some((slot, launch.reason))
}

/// A board with nothing on it but a watchdog.
struct Bench {
    armed: bool,
}

impl Platform for &mut Bench {
    fn arm_watchdog(&mut self) {
        self.armed = true;
    }

    fn jump(&mut self, _: &Launch) -> ! {
        unreachable!("images are not started here: select() decides, run() would start")
    }

    fn recover(&mut self, _: NoImage) -> ! {
        unreachable!("select() gives the error")
    }
}

/// Why an image runs, in words.
pub(crate) fn why(reason: BootReason) -> String {
    match reason {
        BootReason::Confirmed => "confirmed".into(),
        BootReason::Trial { attempt, limit } => format!("trial {attempt} of {limit}"),
        BootReason::Reverted(reason) => format!("reverted: {reason}"),
        _ => "for a reason that this tool does not know".into(),
    }
}

/// The same for programs.
pub(crate) fn json(reason: BootReason) -> Value {
    match reason {
        BootReason::Confirmed => json!({ "reason": "confirmed" }),
        BootReason::Trial { attempt, limit } => json!({ "reason": "trial", "attempt": attempt, "limit": limit }),
        BootReason::Reverted(reason) => json!({ "reason": "reverted", "because": reason.to_string() }),
        _ => Value::Null,
    }
}

/// What becomes of the last update, in words.
pub(crate) fn update(state: UpdateState) -> &'static str {
    match state {
        UpdateState::None => "none under way",
        UpdateState::Receiving => "being received, or complete and its receipt not used",
        UpdateState::Pending => "verified, and tried at the next boot",
        UpdateState::Trial => "runs on trial",
        UpdateState::Swapping => "being exchanged with the other slot",
        _ => "in a state that this tool does not know",
    }
}
