//! A device's life: what it must refuse, what it must install, try, keep and take back, and what a power cut may not break.

use lockgate::boot::{Boot, Launch, NoImage, Platform};
use lockgate::{
    Block, BootReason, Control, Device, Digest, Error, Layout, PublicKey, Refusal, Updater, Uuid, Verified, Verify,
    P256,
};

use crate::flash::{FlashError, RamFlash, GEOMETRY};
use crate::packages::{Build, Link, ONE, OTHER_CLASS, OTHER_KEY, THREE, TRUSTED, TWO};

const VENDOR: Uuid = Uuid::new("6b1f3a52-97c4-4c0e-8d27-0a5be1f0c9d4");
const CLASS: Uuid = Uuid::new("5e1f7e57-0d3c-4b6a-9f21-c8a4d2e07b93");

/// Images run where they are.
const SELECT: Layout = Layout::new(&GEOMETRY).records(0..0x800).slots(0x800..0x1000, 0x1000..0x1800).check();
/// Images run in slot A.
const SWAP: Layout =
    Layout::new(&GEOMETRY).records(0..0x800).slots(0x800..0x1000, 0x1000..0x1800).swap(0x1800..0x1900).check();

type Outcome<T> = Result<T, Error<FlashError>>;
type Update<'a> = Updater<'a, &'a mut RamFlash, Apart>;

/// Lives twice, by both strategies. `told` hears what was tried, and whether it was as it must be.
pub fn live(flash: &mut RamFlash, block: &mut Block<512>, told: &mut dyn FnMut(&'static str, &'static str, bool)) {
    for (layout, strategy) in [(&SELECT, "select"), (&SWAP, "swap")] {
        let device = Device::new(layout, VENDOR, CLASS, TRUSTED);
        flash.blank();
        let mut life = Life { device: &device, flash, block };
        let mut told = |what, kept| told(strategy, what, kept);
        life.refusals(&mut told);
        life.updates(&mut told);
        life.power_cuts(&mut told);
    }
}

/// The device that lives.
struct Life<'a> {
    device: &'a Device<'a>,
    flash: &'a mut RamFlash,
    block: &'a mut Block<512>,
}

impl Life<'_> {
    #[inline(never)]
    fn refusals(&mut self, told: &mut dyn FnMut(&'static str, bool)) {
        let boot = self.boot();
        told("a blank device has nothing to start", boot == Err(NoImage::Invalid));
        told("another key's package is refused", {
            let refused = self.receive(Link::whole(OTHER_KEY));
            matches!(refused, Err(Error::Refused(Refusal::TooFewSignatures { valid: 0, needed: 1 })))
        });
        told("another class's package is refused", {
            let refused = self.receive(Link::whole(OTHER_CLASS));
            matches!(refused, Err(Error::Refused(Refusal::WrongClass { .. })))
        });
        told("a signature with a flipped bit is refused", {
            // The signature is the last of the head; the first block's hash is in the part that it signs.
            let refused = self.receive(Link::flawed(ONE.package, payload(&ONE) + 1));
            matches!(refused, Err(Error::Refused(Refusal::BadSignature { .. })))
        });
        told("a block with a flipped bit is refused", {
            let refused = self.receive(Link::flawed(ONE.package, 500));
            matches!(refused, Err(Error::Refused(Refusal::BlockHash { .. })))
        });
        told("a package that ends too early is refused", {
            let refused = self.receive(Link::short(ONE.package, 100));
            matches!(refused, Err(Error::Truncated { .. }))
        });
        let boot = self.boot();
        told("nothing of all that can be started", boot == Err(NoImage::Invalid));
    }

    #[inline(never)]
    fn updates(&mut self, told: &mut dyn FnMut(&'static str, bool)) {
        told("the first image is installed, tried and kept", {
            self.update(&ONE).is_ok() && self.tries(&ONE, 1) && self.confirm() && self.keeps(&ONE)
        });
        told("the running image is not taken again", {
            let refused = self.receive(Link::whole(ONE.package));
            matches!(refused, Err(Error::Refused(Refusal::AlreadyRunning)))
        });
        told("an image that does not confirm itself is taken back after three attempts", {
            self.update(&TWO).is_ok() && (1..=3).all(|attempt| self.tries(&TWO, attempt)) && self.keeps(&ONE)
        });
        told("it is not taken a second time", {
            let refused = self.receive(Link::whole(TWO.package));
            matches!(refused, Err(Error::Refused(Refusal::FailedBefore)))
        });
    }

    #[inline(never)]
    fn power_cuts(&mut self, told: &mut dyn FnMut(&'static str, bool)) {
        let mut cuts = 0;
        told("an update that is cut off five times is installed", {
            for operations in [1, 4, 8, 13, 19] {
                self.flash.fuse(Some(operations));
                cuts += u32::from(self.update(&THREE).is_err());
                self.flash.fuse(None);
                if !self.keeps(&ONE) {
                    return told("a power cut leaves the running image alone", false);
                }
            }
            cuts == 5 && self.update(&THREE).is_ok()
        });
        told("a boot stage that is cut off again and again starts it", {
            // Each time it comes further, or it would not end. It cannot start anything without having written.
            let started = (1..100).find_map(|operations| {
                self.flash.fuse(Some(operations));
                let launch = self.boot();
                let on = self.flash.is_on();
                self.flash.fuse(None);
                on.then_some((operations, launch))
            });
            started.is_some_and(|(operations, launch)| operations > 1 && self.is(launch, &THREE))
        });
        told("it is kept", self.confirm() && self.keeps(&THREE));
        told("an older image is refused", {
            let refused = self.receive(Link::whole(ONE.package));
            matches!(refused, Err(Error::Refused(Refusal::SecurityCounter { package: 1, device: 3 })))
        });
    }

    // What is large gets a frame of its own: the compiler for Xtensa cannot spill into one that is over 1 KiB.
    #[inline(never)]
    fn receive(&mut self, link: Link) -> Outcome<Verified> {
        let mut updater = self.updater();
        install(&mut updater, link)
    }

    #[inline(never)]
    fn updater(&mut self) -> Update<'_> {
        Updater::with_verifier(self.device, &mut *self.flash, &mut *self.block, Apart)
    }

    #[inline(never)]
    fn update(&mut self, build: &Build) -> Outcome<()> {
        let receipt = self.receive(Link::whole(build.package))?;
        Control::new(self.device, &mut *self.flash).try_next(receipt)
    }

    #[inline(never)]
    fn confirm(&mut self) -> bool {
        Control::new(self.device, &mut *self.flash).confirm().is_ok()
    }

    #[inline(never)]
    fn boot(&mut self) -> Result<Launch, NoImage> {
        Boot::new(self.device, &mut *self.flash, Silent).select()
    }

    /// Whether the boot stage starts this image on trial, for the `attempt`th time.
    fn tries(&mut self, build: &Build, attempt: u8) -> bool {
        let launch = self.boot();
        launch.is_ok_and(|launch| launch.reason == BootReason::Trial { attempt, limit: 3 }) && self.is(launch, build)
    }

    /// Whether the boot stage starts this image, and not on trial.
    fn keeps(&mut self, build: &Build) -> bool {
        let launch = self.boot();
        launch.is_ok_and(|launch| !matches!(launch.reason, BootReason::Trial { .. })) && self.is(launch, build)
    }

    fn is(&self, launch: Result<Launch, NoImage>, build: &Build) -> bool {
        launch.is_ok_and(|launch| self.flash.holds(launch.address, build.image))
    }
}

#[inline(never)]
fn install(updater: &mut Update<'_>, link: Link) -> Outcome<Verified> {
    updater.install(link, |_| {})
}

/// Checks signatures in a frame of its own.
struct Apart;

impl Verify for Apart {
    #[inline(never)]
    fn verify(&mut self, key: &PublicKey, digest: &Digest, signature: &[u8; 64]) -> bool {
        P256.verify(key, digest, signature)
    }
}

/// Bytes of a package behind its head.
fn payload(build: &Build) -> usize {
    // Blocks of 256 bytes; each but the last is followed by the hash of the next.
    build.image.len() + 32 * (build.image.len().div_ceil(256) - 1)
}

/// Nothing hangs here, and nothing is started.
struct Silent;

impl Platform for Silent {
    fn arm_watchdog(&mut self) {}

    fn jump(&mut self, _: &Launch) -> ! {
        unreachable!("`select` starts nothing")
    }

    fn recover(&mut self, _: NoImage) -> ! {
        unreachable!("`select` starts nothing")
    }
}
