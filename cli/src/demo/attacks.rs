//! The attacks, what each must be refused with, and what reached the flash meanwhile.

use lockgate::pack::{Package, Signer, SigningKey, Update};
use lockgate::sim::Rule;
use lockgate::{wire, BootReason, Control, KeySet, Refusal, Slot, Uuid, Verified, Version};

use super::stage::Stage;
use super::{package, say, BLOCK, CLASS, VENDOR};
use crate::boot_stage;
use crate::failure::Failure;
use crate::flash_file::FileFlash;
use crate::install::{Audit, Event, Session, Stopped};
use crate::print;
use crate::slots;
use crate::style::{count, grouped, Style, Tone};
use crate::table::Table;

/// The security counter of the firmware that runs.
pub(super) const COUNTER: u32 = 7;
const NEXT: Version = Version::new(1, 5, 0, 0);
const OTHER_CLASS: Uuid = Uuid::new("f3d1a6c2-8b0e-4d5f-9a77-1c2b3d4e5f60");

/// A package that must not get through.
pub(super) struct Attack {
    title: String,
    file: &'static str,
    package: Vec<u8>,
    /// The package as it should be: the oracle's truth.
    authentic: Package,
    keys: KeySet<'static>,
    expected: fn(&Stopped) -> bool,
    /// The authentic package, if the device is to complete with it afterwards.
    mended: bool,
    /// It is refused before anything is erased.
    early: bool,
}

/// What came of it.
pub(super) struct Outcome {
    title: String,
    refused: bool,
    /// Bytes programmed of the image that was signed, until it was refused.
    signed: u64,
    /// Bytes programmed of anything else, ever.
    forged: u64,
}

impl Attack {
    /// All of them, against an update to `image`.
    pub(super) fn all(stage: &Stage, image: &[u8]) -> Result<Vec<Self>, Failure> {
        let good = package(image, NEXT, COUNTER, &stage.key)?;
        let build = |update: Update, key: &SigningKey| {
            update.build(image, &mut [&mut key.clone()]).map_err(|error| Failure::refused("--image", error))
        };
        let next = |class, counter| Update::new(VENDOR, class, NEXT, counter);
        let stranger = SigningKey::generate();
        let two = vec![stage.key.public_key(), stranger.public_key()].leak();

        let block = good.manifest().blocks() / 2;
        let mut flipped = good.bytes().to_vec();
        flip(&mut flipped, good.head().len() + (block * (BLOCK + wire::LINK_SIZE) + BLOCK / 3) as usize);
        let mut renamed = good.bytes().to_vec();
        // The last byte of the manifest: part of the hash of block 0.
        flip(&mut renamed, wire::PRELUDE_SIZE + manifest_length(&good) - 1);
        let cut = good.bytes().len() * 3 / 5;

        let attack = |title: &str, file, package: &[u8], expected| Self {
            title: title.into(),
            file,
            package: package.into(),
            authentic: good.clone(),
            keys: stage.keys,
            expected,
            mended: false,
            early: true,
        };
        let other_class = build(next(OTHER_CLASS, COUNTER), &stage.key)?;
        let older = build(next(CLASS, COUNTER - 1), &stage.key)?;
        let forged = build(next(CLASS, COUNTER), &stranger)?;
        Ok(vec![
            Self {
                mended: true,
                early: false,
                ..attack(&format!("one bit of block {block} flipped"), "flipped.lgu", &flipped, |stopped| {
                    matches!(stopped, Stopped::Refused(Refusal::BlockHash { .. }))
                })
            },
            attack("one bit of the manifest flipped", "manifest.lgu", &renamed, |stopped| {
                matches!(stopped, Stopped::Refused(Refusal::BadSignature { .. }))
            }),
            Self {
                early: false,
                ..attack("cut off after 60 %", "cut.lgu", &good.bytes()[..cut], |stopped| {
                    matches!(stopped, Stopped::Truncated(_))
                })
            },
            attack("made for another class of devices", "class.lgu", other_class.bytes(), |stopped| {
                matches!(stopped, Stopped::Refused(Refusal::WrongClass { .. }))
            }),
            attack("an old release, signed and vulnerable", "older.lgu", older.bytes(), |stopped| {
                matches!(stopped, Stopped::Refused(Refusal::SecurityCounter { .. }))
            }),
            attack("signed by somebody else", "stranger.lgu", forged.bytes(), |stopped| {
                matches!(stopped, Stopped::Refused(Refusal::TooFewSignatures { valid: 0, .. }))
            }),
            Self {
                keys: KeySet::new(2, two),
                ..attack("signed by one, where two must sign", "one-of-two.lgu", good.bytes(), |stopped| {
                    matches!(stopped, Stopped::Refused(Refusal::TooFewSignatures { valid: 1, needed: 2 }))
                })
            },
        ])
    }

    /// Lets a device in the state of `flash`, which runs the first package's image in `running`, download it.
    pub(super) fn run(self, stage: &Stage, flash: &[u8], running: Slot, style: Style) -> Result<Outcome, Failure> {
        print::line(format_args!("   {}", style.paint(Tone::Strong, &self.title)))?;
        stage.publish(self.file, &self.package)?;
        let mut flash = FileFlash::holding(&stage.board, flash);
        let layout = stage.board.layout();
        let slot = layout.target(running);
        let range = layout.slot_range(slot);
        flash.chip().oracle(range.start..range.end - wire::TRAILER_SIZE, self.image()?);
        let journal = flash.journal();
        let audit = || Audit::of(&journal.borrow(), layout, (slot, &[]), self.authentic.bytes(), &stage.keys);

        let mut session = stage.session(&mut flash, self.keys)?;
        let stopped = session.run(&mut stage.transport(self.file), 0, |_| {}).err();
        let mut refused = stopped.as_ref().is_some_and(self.expected);
        let why = stopped.map_or_else(|| "NOT REFUSED".into(), |stopped| stopped.to_string());
        say(style, "refused", &style.paint(if refused { Tone::Good } else { Tone::Bad }, why));
        let found = audit();
        say(style, "in flash", &in_flash(found));
        refused &= !self.early || (found.erases, found.programmed, found.record_bytes) == (0, 0, 0);
        let mended = if self.mended { self.mend(stage, &mut session, style)? } else { None };
        refused &= self.mended == mended.is_some();
        drop(session);
        if let Some(receipt) = mended {
            refused &= Control::new(&stage.device(self.keys), &mut flash).try_next(receipt).is_ok();
        }

        // What the boot stage starts next: the image that ran, or the mended one on trial.
        let slots = slots::look(flash.bytes(), layout, Some(&stage.keys));
        let next = boot_stage::next(&stage.board, flash.bytes(), &slots, &stage.keys);
        let expected = match self.mended {
            true => (slot, BootReason::Trial { attempt: 1, limit: 3 }),
            false => (running, BootReason::Confirmed),
        };
        refused &= next == Some(expected);
        refused &= flash.chip().violations().iter().all(|violation| violation.rule != Rule::Unauthentic);
        let Audit { unauthentic, .. } = audit();
        Ok(Outcome { title: self.title, refused, signed: found.programmed - found.unauthentic, forged: unauthentic })
    }

    /// The device asks once more, and this time nobody is in between. The receipt, if it completes without starting
    /// over.
    fn mend(&self, stage: &Stage, session: &mut Session<'_>, style: Style) -> Result<Option<Verified>, Failure> {
        let position = session.position();
        stage.publish("firmware-1.5.0.lgu", self.authentic.bytes())?;
        let mut began = None;
        let outcome = session.run(&mut stage.transport("firmware-1.5.0.lgu"), 0, |event| {
            if let Event::Opened { offset, .. } = event {
                began = Some(offset);
            }
        });
        let all = self.authentic.bytes().len() as u64;
        match outcome {
            Ok(verified) => {
                let text = format!(
                    "it asks again, from byte {} of {} on: version {} is complete in slot {}",
                    grouped(position.into()),
                    grouped(all),
                    verified.version(),
                    verified.slot()
                );
                say(style, "then", &text);
                Ok((began == Some(position) && position > 0).then_some(verified))
            }
            Err(stopped) => {
                say(style, "then", &style.paint(Tone::Bad, format_args!("it asks again, in vain: {stopped}")));
                Ok(None)
            }
        }
    }

    fn image(&self) -> Result<Vec<u8>, Failure> {
        let found = lockgate::pack::inspect(self.authentic.bytes()).map_err(|error| Failure::refused("demo", error))?;
        Ok(found.blocks().map_while(Result::ok).flatten().copied().collect())
    }
}

/// What reached the flash of a package that was refused.
fn in_flash(audit: Audit) -> String {
    match audit {
        Audit { erases: 0, programmed: 0, record_bytes: 0, .. } => "nothing: not one sector was erased".into(),
        Audit { programmed, unauthentic: 0, .. } => {
            format!("{}, each one signed for; of the rest: 0 bytes", count(programmed, "byte", "bytes"))
        }
        Audit { unauthentic, .. } => format!("{unauthentic} FORGED BYTES"),
    }
}

/// The table at the end; a failure unless all went as it must.
pub(super) fn verdict(outcomes: &[Outcome], style: Style) -> Result<(), Failure> {
    let mut table = Table::default();
    table.row([&"   what was sent", &"refused", &"signed bytes in flash", &"forged bytes in flash"]);
    for Outcome { title, refused, signed, forged, .. } in outcomes {
        let refused = if *refused { "yes" } else { "NO" };
        table.row([&format_args!("   {title}"), &refused, &grouped(*signed), &grouped(*forged)]);
    }
    print::line(format_args!("\n{table}"))?;
    let held = outcomes.iter().filter(|outcome| outcome.refused && outcome.forged == 0).count();
    let text = format!("{held} of {} refused", outcomes.len());
    if held < outcomes.len() {
        return Err(Failure::Refused(format!("the demo did not go as it must: {text}")));
    }
    print::line(format_args!("   {}", style.paint(Tone::Good, text)))
}

fn manifest_length(package: &Package) -> usize {
    usize::from(u16::from_le_bytes([package.bytes()[12], package.bytes()[13]]))
}

fn flip(bytes: &mut [u8], at: usize) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1;
    }
}
