//! What a device is and trusts ([`Device`]), what runs on it ([`Running`]), and what it therefore takes
//! ([`Offer`], [`Decision`]).

use crate::digest::Digest;
use crate::id::{Uuid, Version};
use crate::layout::{Layout, Slot, Strategy};
use crate::manifest::{Element, Elements, Manifest};
use crate::records::{ImageId, Phase, State};
use crate::refusal::{Malformed, Refusal};
use crate::trust::KeySet;

/// Image bytes between two checkpoints, unless the device says otherwise.
const CHECKPOINT_INTERVAL: u32 = 8192;
/// Attempts that a new image has, unless the device says otherwise.
const ATTEMPTS: u8 = 3;

/// A device, as it leaves the factory. Build it in a `const`.
#[derive(Clone, Copy, Debug)]
pub struct Device<'d> {
    pub(crate) layout: &'d Layout,
    pub(crate) vendor: Uuid,
    pub(crate) class: Uuid,
    pub(crate) component: u16,
    pub(crate) keys: KeySet<'d>,
    #[cfg(feature = "rotation")]
    pub(crate) rotate_keys: Option<KeySet<'d>>,
    #[cfg(feature = "rotation")]
    pub(crate) key_set_version: u32,
    #[cfg(feature = "rotation")]
    pub(crate) rooted: bool,
    pub(crate) load_addresses: Option<[u32; 2]>,
    pub(crate) final_hash: FinalHash,
    pub(crate) downgrade: bool,
    pub(crate) retry_failed: bool,
    pub(crate) checkpoint_interval: u32,
    pub(crate) attempts: u8,
    private: &'d [u16],
}

impl<'d> Device<'d> {
    /// A device of this vendor and class that trusts `keys`.
    #[must_use]
    pub const fn new(layout: &'d Layout, vendor: Uuid, class: Uuid, keys: KeySet<'d>) -> Self {
        Self {
            layout,
            vendor,
            class,
            component: 0,
            keys,
            #[cfg(feature = "rotation")]
            rotate_keys: None,
            #[cfg(feature = "rotation")]
            key_set_version: 0,
            #[cfg(feature = "rotation")]
            rooted: false,
            load_addresses: None,
            final_hash: FinalHash::Always,
            downgrade: false,
            retry_failed: false,
            checkpoint_interval: CHECKPOINT_INTERVAL,
            attempts: ATTEMPTS,
            private: &[],
        }
    }

    /// The keys that may sign key sets, a threshold of them. With them, a key store in the layout
    /// ([`keys`](crate::LayoutBuilder::keys)) and a [`Keyring`](crate::Keyring) lent to the updater, the device takes other keys in the
    /// field; without, it passes key sets over. `lockgate keys inspect --rust` prints them as a Rust `const`.
    #[cfg(feature = "rotation")]
    #[must_use]
    pub const fn rotate_keys(mut self, keys: KeySet<'d>) -> Self {
        self.rotate_keys = Some(keys);
        self
    }

    /// The version of the key set that is built in: 0, unless the firmware was built with a later one. Of this set and a
    /// stored one that of the higher version counts.
    #[cfg(feature = "rotation")]
    #[must_use]
    pub const fn key_set_version(mut self, version: u32) -> Self {
        self.key_set_version = version;
        self
    }

    /// A threshold of the [`rotate_keys`](Self::rotate_keys) built in must have signed every key set, whichever sets came before. A boot stage
    /// that [checks signatures](crate::boot::Boot::with_signatures) then believes a stored set by them alone, and so needs no trust in its
    /// flash; without this it believes what is stored, as it believes the records. Say it in the boot stage and in every
    /// application, or in none.
    #[cfg(feature = "rotation")]
    #[must_use]
    pub const fn rooted(mut self) -> Self {
        self.rooted = true;
        self
    }

    /// The part of the device that this updater keeps up to date, if it has several; 0 otherwise.
    #[must_use]
    pub const fn component(mut self, component: u16) -> Self {
        self.component = component;
        self
    }

    /// The addresses at which images in slot A and slot B run. Without them a package that names a load
    /// address is refused.
    #[must_use]
    pub const fn load_addresses(mut self, a: u32, b: u32) -> Self {
        self.load_addresses = Some([a, b]);
        self
    }

    /// Who hashes the image before it first runs.
    #[must_use]
    pub const fn final_hash(mut self, final_hash: FinalHash) -> Self {
        self.final_hash = final_hash;
        self
    }

    /// Takes a lower version, and the running image again, at an equal security counter.
    #[must_use]
    pub const fn allow_downgrade(mut self) -> Self {
        self.downgrade = true;
        self
    }

    /// Takes again an image that failed its trials or was reverted.
    #[must_use]
    pub const fn allow_failed(mut self) -> Self {
        self.retry_failed = true;
        self
    }

    /// At least so many image bytes lie between two checkpoints in the records; each is on the edge of an erase sector. A
    /// power cut costs that much progress, or a sector if that is more. `u32::MAX` records none: a reset starts the
    /// install over, for flash that an attacker can write. Default: 8192, at which records cost about 1 % of what is
    /// programmed.
    #[must_use]
    pub const fn checkpoint_interval(mut self, bytes: u32) -> Self {
        self.checkpoint_interval = bytes;
        self
    }

    /// How often a new image is started before it must have been confirmed; another bootloader, which starts it once, is
    /// asked so often to do that. Default: 3; 0 counts as 1.
    #[must_use]
    pub const fn attempts(mut self, attempts: u8) -> Self {
        self.attempts = if attempts == 0 { 1 } else { attempts };
        self
    }

    /// The vendor's own elements (numbers 0x7000 to 0x7FFF) that the application's policy understands: they
    /// may be critical.
    #[must_use]
    pub const fn private_elements(mut self, numbers: &'d [u16]) -> Self {
        self.private = numbers;
        self
    }

    /// The keys it trusts.
    #[must_use]
    pub const fn keys(&self) -> &KeySet<'d> {
        &self.keys
    }

    pub(crate) fn parse(&self, body: &[u8]) -> Result<Manifest, Refusal> {
        Manifest::parse(body, |number| self.private.contains(&number))
    }

    /// Where everything lies.
    #[must_use]
    pub const fn layout(&self) -> &'d Layout {
        self.layout
    }

    /// Checks an authenticated manifest against what became of the updates before it.
    pub(crate) fn judge_state(&self, state: &State, manifest: &Manifest) -> Result<(), Refusal> {
        // Another bootloader may have started it already, or is about to read the slot.
        let handed_over = state.phase == Phase::Pending && self.layout.strategy() == Strategy::Foreign;
        if handed_over || matches!(state.phase, Phase::Trial | Phase::Swapping | Phase::Reverting) {
            return Err(Refusal::Unconfirmed);
        }
        if !self.retry_failed && state.failed == manifest.image_digest.into() {
            return Err(Refusal::FailedBefore);
        }
        Ok(())
    }

    /// Checks an authenticated manifest against the device (`docs/format.md`, section 8, step 3).
    pub(crate) fn judge(&self, running: &Running, manifest: &Manifest, buffer: usize) -> Result<(), Refusal> {
        let slot = self.layout.target(running.slot);
        let capacity = match self.layout.strategy() {
            Strategy::Select => self.layout.slot_capacity(slot),
            // It arrives in one slot and runs in the other.
            Strategy::Swap | Strategy::Foreign => self.layout.capacity(),
        };
        self.judge_identity(manifest)?;
        if manifest.security_counter < running.security_counter {
            return Err(Refusal::SecurityCounter {
                package: manifest.security_counter,
                device: running.security_counter,
            });
        }
        if !self.downgrade && manifest.security_counter == running.security_counter {
            if running.image == Some(manifest.image_digest.into()) {
                return Err(Refusal::AlreadyRunning);
            }
            if manifest.version < running.version {
                return Err(Refusal::Downgrade { package: manifest.version, running: running.version });
            }
        }
        if manifest.image_size > capacity {
            return Err(Refusal::ImageTooLarge { image: manifest.image_size, capacity });
        }
        if manifest.block_size() as usize > buffer {
            return Err(Refusal::BlockTooLarge { block: manifest.block_size(), buffer });
        }
        self.judge_load_address(manifest, slot)
    }

    /// Whose the image is, whichever its counter.
    fn judge_identity(&self, manifest: &Manifest) -> Result<(), Refusal> {
        if manifest.vendor != self.vendor {
            return Err(Refusal::WrongVendor { package: manifest.vendor, device: self.vendor });
        }
        if manifest.class != self.class {
            return Err(Refusal::WrongClass { package: manifest.class, device: self.class });
        }
        if manifest.component != self.component {
            return Err(Refusal::WrongComponent { package: manifest.component, device: self.component });
        }
        Ok(())
    }

    fn judge_load_address(&self, manifest: &Manifest, slot: Slot) -> Result<(), Refusal> {
        // With swap or another bootloader the image runs in slot A, wherever it arrives.
        let swap = self.layout.strategy() != Strategy::Select;
        match (manifest.load_address, self.load_addresses) {
            (Some(package), Some([a, b])) if package != if swap || slot == Slot::A { a } else { b } => {
                Err(Refusal::LoadAddress { package })
            }
            (Some(package), None) => Err(Refusal::LoadAddress { package }),
            (None, Some([a, b])) if a != b && !swap => Err(Refusal::NoLoadAddress),
            _ => Ok(()),
        }
    }

    /// Whether an image of this manifest is this device's, to be run in `slot`.
    pub(crate) fn runs(&self, manifest: &Manifest, slot: Slot) -> bool {
        self.judge_identity(manifest).is_ok() && self.judge_load_address(manifest, slot).is_ok()
    }
}

/// Who compares the whole image in the slot with its signed digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinalHash {
    /// `finish` reads the slot back and hashes it.
    Always,
    /// The boot stage hashes every image before it first runs. `finish` then relies on the block chain and
    /// the read-back of each write, unless the update was interrupted. With another bootloader: only for one that hashes (MCUboot
    /// does, embassy-boot does not).
    BootStage,
}

/// What runs now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Running {
    /// The slot it runs from.
    pub slot: Slot,
    /// Its version.
    pub version: Version,
    /// The device's security counter.
    pub security_counter: u32,
    /// Its image, if known: `Some(digest.into())`.
    pub image: Option<ImageId>,
}

impl Running {
    /// A device fresh from the factory: slot A, version 0.0.0, counter 0.
    #[must_use]
    pub const fn factory() -> Self {
        Self { slot: Slot::A, version: Version::new(0, 0, 0, 0), security_counter: 0, image: None }
    }
}

/// An authenticated manifest that the device itself would take. The application decides; nothing is erased
/// yet.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Offer<'m> {
    /// The manifest.
    pub manifest: Manifest,
    /// The manifest digest, the update's identity.
    pub digest: Digest,
    pub(crate) body: &'m [u8],
}

impl<'m> Offer<'m> {
    /// All elements of the manifest, those of the vendor's own among them.
    pub fn elements(&self) -> impl Iterator<Item = Result<Element<'m>, Malformed>> {
        Elements::new(self.body)
    }
}

/// What the application says to an [`Offer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Go on: the slot will be erased.
    Accept,
    /// Not now (battery low, machine in use). Nothing is erased; offer it again later.
    Defer,
    /// Never this one.
    Refuse,
}
