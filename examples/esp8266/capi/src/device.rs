//! What the device is: as C has it, and as the library has it.

use core::mem::{align_of, offset_of, size_of};
use core::slice;

use lockgate::{geometry, Device, Digest, KeySet, Layout, PublicKey, Uuid, Verify, MAX_KEYS, P256};

use crate::error::{self, Code};
use crate::flash::{Flash, FlashC, Sdk, Watchdog};
use crate::header::number;
use crate::stack::Stack;

/// 4 MiB, as the boot stage has it (`../board/src/device.rs`): the cache shows one whole megabyte at 0x40200000, so each slot is one.
/// The key store is not used here: key sets are passed over.
const LAYOUT: Layout = Layout::new(&geometry::ESP8266_4M)
    .boot(0..0x1_0000)
    .records(0x1_0000..0x1_8000)
    .keys(0x1_8000..0x1_B000)
    .slots(0x10_0000..0x20_0000, 0x20_0000..0x30_0000)
    .check();

/// `lockgate_device_t`
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct DeviceC {
    vendor: [u8; 16],
    device_class: [u8; 16],
    keys: *const [u8; 64],
    key_count: u32,
    threshold: u32,
    flash: FlashC,
    feed_watchdog: Watchdog,
    stack: *mut u32,
    stack_size: u32,
}

// On the chip, and wherever else a pointer is a word.
const _: () = assert!(size_of::<usize>() != 4 || size_of::<DeviceC>() == number("LOCKGATE_DEVICE_SIZE") as usize);

// C's keys are used where they are: a key must be its 64 bytes and nothing else.
const _: () = assert!(size_of::<PublicKey>() == 64 && align_of::<PublicKey>() == 1 && offset_of!(PublicKey, 0) == 0);

/// What the functions need of a device. Its keys are C's, and stay.
pub(crate) struct Parts {
    pub(crate) device: Device<'static>,
    pub(crate) flash: Flash,
    pub(crate) verifier: Patient,
    pub(crate) stack: Stack,
}

impl DeviceC {
    /// Its parts, or what is wrong with it.
    pub(crate) fn read(&self) -> Result<Parts, Code> {
        let flash = Sdk::flash(self.flash, self.feed_watchdog)?;
        let stack = Stack::new(self.stack, self.stack_size)?;
        let count = self.key_count as usize;
        if self.keys.is_null() || count == 0 || count > MAX_KEYS {
            return Err(error::KEYS);
        }
        // SAFETY: `lockgate.h` asks for `key_count` keys that stay as long as they are used; a key's layout is checked above.
        let keys: &'static [PublicKey] = unsafe { slice::from_raw_parts(self.keys.cast(), count) };
        let threshold = u8::try_from(self.threshold).map_err(|_| error::KEYS)?;
        let keys = KeySet::checked(threshold, keys).ok_or(error::KEYS)?;
        let device = Device::new(&LAYOUT, Uuid(self.vendor), Uuid(self.device_class), keys);
        Ok(Parts { device, flash, verifier: Patient(self.feed_watchdog), stack })
    }
}

/// Signature checks, with a fed watchdog.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patient(Watchdog);

impl Verify for Patient {
    fn verify(&mut self, key: &PublicKey, digest: &Digest, signature: &[u8; 64]) -> bool {
        self.0.feed();
        let valid = P256.verify(key, digest, signature);
        self.0.feed();
        valid
    }
}
