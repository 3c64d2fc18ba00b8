//! What a device lives through with an update: a power cut, a trial, a confirmation; and one that is no good.
//! Each line that is printed was asked of the device first, and held against what must be.

use lockgate::pack::Package;
use lockgate::{BootReason, BootStatus, Control, Reason, Refusal, Slot, UpdateState, Verified};

use super::attacks::COUNTER;
use super::stage::Stage;
use super::{indented, say};
use crate::boot_stage;
use crate::cut::{CutOutcome, Plan};
use crate::failure::Failure;
use crate::flash_file::FileFlash;
use crate::install::{Audit, Event, Stopped};
use crate::map::Picture;
use crate::print;
use crate::style::{self, count, grouped, Style, Tone};

/// Images below this are cut at their end: there is no checkpoint before.
const SHORT: u32 = 12 << 10;
/// Columns of the image's bar: those of the record log on this board.
const BAR: u32 = 64;

/// Stops the demo if it does not go as it must.
fn must(holds: bool, what: &str) -> Result<(), Failure> {
    match holds {
        true => Ok(()),
        false => Err(Failure::Refused(format!("the demo did not go as it must: {what}"))),
    }
}

/// What the records say.
fn status(stage: &Stage, flash: &mut FileFlash) -> Result<BootStatus, Failure> {
    Control::new(&stage.device(stage.keys), flash).status().map_err(|error| Failure::refused("records", error))
}

/// The receipt is used; the boot stage is asked to try the image.
fn activate(stage: &Stage, flash: &mut FileFlash, receipt: Verified) -> Result<(), Failure> {
    let outcome = Control::new(&stage.device(stage.keys), flash).try_next(receipt);
    outcome.map_err(|error| Failure::refused("try_next", error))
}

/// A reset: the boot stage runs, and must start `slot` for this reason.
fn reset(stage: &Stage, flash: &mut FileFlash, slot: Slot, why: BootReason) -> Result<(), Failure> {
    let started = boot_stage::run(&stage.device(stage.keys), flash, true);
    let trial = matches!(why, BootReason::Trial { .. });
    let launch = started.launch.map_err(|error| Failure::refused("boot stage", error))?;
    let text = format!("the boot stage starts slot {} ({})", launch.slot, boot_stage::why(launch.reason));
    must((launch.slot, launch.reason) == (slot, why), &text)?;
    must(started.watchdog == trial, "the watchdog is armed for a trial, and only then")
}

/// The image that runs says that it works: its slot is confirmed, with this security counter.
fn confirm(stage: &Stage, flash: &mut FileFlash, slot: Slot, counter: u32) -> Result<(), Failure> {
    Control::new(&stage.device(stage.keys), &mut *flash)
        .confirm()
        .map_err(|error| Failure::refused("confirm", error))?;
    let now = status(stage, flash)?;
    must(now.confirmed == slot && now.reason == BootReason::Confirmed, "the image that ran is confirmed")?;
    must(now.security_counter == counter, "the security counter is that of the confirmed image")
}

/// Offers a package that must be refused before anything is written.
fn refused(stage: &Stage, flash: &mut FileFlash, file: &str, why: fn(&Refusal) -> bool) -> Result<String, Failure> {
    let (erases, writes) = (flash.journal().borrow().erases.len(), flash.journal().borrow().writes.len());
    let outcome = stage.session(flash, stage.keys)?.run(&mut stage.transport(file), 0, |_| {});
    let journal = flash.journal();
    must((journal.borrow().erases.len(), journal.borrow().writes.len()) == (erases, writes), "nothing is written")?;
    match outcome {
        Err(Stopped::Refused(refusal)) if why(&refusal) => Ok(refusal.to_string()),
        Err(other) => Err(Failure::Refused(format!("the demo did not go as it must: {file} is refused, but: {other}"))),
        Ok(_) => Err(Failure::Refused(format!("the demo did not go as it must: {file} is taken"))),
    }
}

/// The `size` bytes of slot A that an image takes, and the record log, in a line each.
fn picture(stage: &Stage, flash: &FileFlash, size: u32, style: Style) -> Result<(), Failure> {
    let picture = Picture::new(&stage.board, flash.bytes(), None);
    let start = stage.board.layout().slot_range(Slot::A).start;
    let image = picture.strip(start..start + size, BAR, style);
    print::line(format_args!("              {image}  image"))?;
    print::line(format_args!("              {}  records", picture.newest(style)))
}

/// The first image, which no other stands behind, is tried and confirmed.
pub(super) fn first_start(
    stage: &Stage,
    (mut flash, receipt): (FileFlash, Verified),
    style: Style,
) -> Result<Vec<u8>, Failure> {
    activate(stage, &mut flash, receipt)?;
    reset(stage, &mut flash, Slot::B, BootReason::Trial { attempt: 1, limit: 3 })?;
    confirm(stage, &mut flash, Slot::B, COUNTER)?;
    say(style, "reset", "the boot stage starts slot B on trial; the image works, and confirms itself");
    Ok(flash.bytes().to_vec())
}

/// Power fails in the middle of `package`; the next power cycle goes on. Gives the flash, and the receipt.
pub(super) fn power_cut(
    stage: &Stage,
    flash: &[u8],
    package: &Package,
    style: Style,
) -> Result<(Vec<u8>, Verified), Failure> {
    let file = "firmware-1.5.0.lgu";
    stage.publish(file, package.bytes())?;
    // How many steps it takes is asked of a device to which nothing happens.
    let mut undisturbed = FileFlash::holding(&stage.board, flash);
    let outcome = stage.session(&mut undisturbed, stage.keys)?.run(&mut stage.transport(file), 0, |_| {});
    must(outcome.is_ok(), "the package is good")?;
    let steps = undisturbed.steps();
    let size = package.manifest().image_size;
    let after = if size < SHORT { steps - 2 } else { steps * 6 / 10 };

    let mut flash = FileFlash::holding(&stage.board, flash).cut_as(Plan { after, outcome: CutOutcome::Subset });
    let outcome = stage.session(&mut flash, stage.keys)?.run(&mut stage.transport(file), 0, |_| {});
    let cut = flash.cut().filter(|_| outcome.is_err());
    must(cut.is_some(), "power is cut")?;
    if let Some(cut) = cut {
        let what = format!("{}; there are {steps} in all", cut.describe(&stage.board));
        say(style, "power cut", &style.paint(Tone::Bad, what));
    }
    picture(stage, &flash, size, style)?;

    // Power is back: what the cells hold is all that is left.
    let mut flash = FileFlash::holding(&stage.board, flash.bytes());
    reset(stage, &mut flash, Slot::B, BootReason::Confirmed)?;
    must(status(stage, &mut flash)?.update == UpdateState::Receiving, "the records know of the update")?;
    say(style, "reset", "the boot stage starts slot B (confirmed): the old image was never touched");
    let (mut resumed, mut opened) = (None, Vec::new());
    let outcome = stage.session(&mut flash, stage.keys)?.run(&mut stage.transport(file), 0, |event| match event {
        Event::Resumed { position, written, saved, .. } => resumed = Some((position, written, saved)),
        Event::Opened { offset, .. } => opened.push(offset),
        _ => {}
    });
    let receipt = outcome.map_err(|stopped| Failure::Refused(format!("after the cut: {stopped}")))?;
    let (position, written, saved) = resumed.unwrap_or_default();
    must(saved > 0 && written > 0, "it goes on where it was")?;
    must(opened == [0, position], "the server is asked for the head, and for the rest from there on")?;
    let total = grouped(package.bytes().len() as u64);
    let text = format!(
        "from byte {} of {total}: {} are in the slot, {} are not sent again",
        grouped(position.into()),
        count(written.into(), "image byte", "image bytes"),
        count(saved.into(), "byte", "bytes")
    );
    say(style, "resumed", &style.paint(Tone::Good, text));
    picture(stage, &flash, size, style)?;
    say(style, "verified", &format!("slot {} holds version {}", receipt.slot(), receipt.version()));
    must(receipt.slot() == Slot::A, "it is in slot A")?;
    Ok((flash.bytes().to_vec(), receipt))
}

/// The new image is tried and confirmed; what is older is refused from then on.
pub(super) fn trial(stage: &Stage, flash: &[u8], receipt: Verified, style: Style) -> Result<Vec<u8>, Failure> {
    let mut flash = FileFlash::holding(&stage.board, flash);
    activate(stage, &mut flash, receipt)?;
    reset(stage, &mut flash, Slot::A, BootReason::Trial { attempt: 1, limit: 3 })?;
    say(style, "reset", "the boot stage starts slot A: trial 1 of 3, the watchdog is armed");
    must(status(stage, &mut flash)?.security_counter == COUNTER, "the security counter waits for the confirmation")?;
    let why = refused(stage, &mut flash, "firmware-1.4.0.lgu", |refusal| matches!(refusal, Refusal::Unconfirmed))?;
    say(style, "meanwhile", &format!("any update is refused: {why}"));
    confirm(stage, &mut flash, Slot::A, COUNTER + 1)?;
    let text = format!("slot A; the security counter moves from {COUNTER} to {}", COUNTER + 1);
    say(style, "confirmed", &style.paint(Tone::Good, text));
    let older = |refusal: &Refusal| matches!(refusal, Refusal::SecurityCounter { .. });
    let why = refused(stage, &mut flash, "firmware-1.4.0.lgu", older)?;
    say(style, "from now", &format!("version 1.4.0 is refused: {why}"));
    reset(stage, &mut flash, Slot::A, BootReason::Confirmed)?;
    Ok(flash.bytes().to_vec())
}

/// An update that never confirms itself: its attempts, the way back, and that it is not taken again.
pub(super) fn revert(stage: &Stage, flash: &[u8], package: &Package, style: Style) -> Result<Vec<u8>, Failure> {
    let file = "firmware-1.6.0.lgu";
    stage.publish(file, package.bytes())?;
    let mut flash = FileFlash::holding(&stage.board, flash);
    let outcome = stage.session(&mut flash, stage.keys)?.run(&mut stage.transport(file), 0, |_| {});
    let receipt = outcome.map_err(|stopped| Failure::Refused(format!("version 1.6.0: {stopped}")))?;
    let journal = flash.journal();
    let audit =
        Audit::of(&journal.borrow(), stage.board.layout(), (Slot::B, flash.bytes()), package.bytes(), &stage.keys);
    must(audit.unauthentic == 0 && receipt.slot() == Slot::B, "it is verified, and in slot B")?;
    say(style, "verified", "slot B holds version 1.6.0: nobody can tell yet that it hangs");
    activate(stage, &mut flash, receipt)?;
    let mut picture = Vec::new();
    for attempt in 1..=3 {
        reset(stage, &mut flash, Slot::B, BootReason::Trial { attempt, limit: 3 })?;
        picture.push(style.paint(Tone::Doubt, format_args!("B trial {attempt}")));
    }
    reset(stage, &mut flash, Slot::A, BootReason::Reverted(Reason::NotConfirmed))?;
    picture.push(style.paint(Tone::Good, "A reverted"));
    say(style, "resets", &picture.join(" ── watchdog ──> "));
    let now = status(stage, &mut flash)?;
    must(now.confirmed == Slot::A && now.security_counter == COUNTER + 1, "the old image is the confirmed one")?;
    say(style, "runs", &format!("slot A, version 1.5.0, security counter {}", now.security_counter));
    let why = refused(stage, &mut flash, file, |refusal| matches!(refusal, Refusal::FailedBefore))?;
    say(style, "offered", &format!("version 1.6.0 again is refused: {why}"));
    let records = Picture::new(&stage.board, flash.bytes(), None).log(style, style::width() - 3);
    print::line("")?;
    print::text_only(indented(records.trim_end()))?;
    Ok(flash.bytes().to_vec())
}
