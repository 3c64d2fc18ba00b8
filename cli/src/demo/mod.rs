//! `lockgate demo`: the whole story on one machine, for a person who sees the project for the first time.
//!
//! Everything is done with what the other commands use, and every number is measured.

mod attacks;
mod stage;
mod story;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use lockgate::manifest::Window;
use lockgate::pack::{self, Package, Payload, Signer, SigningKey, Update};
use lockgate::{Slot, Uuid, Verified, Version};

use crate::encoding;
use crate::failure::Failure;
use crate::files::NewFile;
use crate::flash_file::FileFlash;
use crate::install::{line, Event, Report};
use crate::keys;
use crate::map::Picture;
use crate::print;
use crate::slots::kib;
use crate::style::{self, count, Style, Tone};
use attacks::Attack;
use stage::Stage;

/// A real firmware for a Cortex-M4.
const FIRMWARE: &[u8] = include_bytes!("../../assets/cortex-m4.bin");
const VENDOR: Uuid = Uuid::new("6b1f3a52-97c4-4c0e-8d27-0a5be1f0c9d4");
const CLASS: Uuid = Uuid::new("0c2f9c0e-3f5b-4a51-9d2c-6a3f5d1e7b80");
/// What the device's block buffer has, and what blocks are cut to.
const BLOCK: u32 = 1024;
/// Bytes that the device lends its decoder: for a window of 256 bytes.
const WORKSPACE: u32 = 512;
/// Image bytes between two checkpoints of the device's.
const CHECKPOINTS: u32 = 4096;
/// Long enough to be watched.
const BAR_TIME: Duration = Duration::from_millis(1500);

/// Tells the story; files stay in `directory` if one is given.
pub(crate) fn run(directory: Option<&Path>, image: Option<Vec<u8>>) -> Result<(), Failure> {
    let style = Style::stdout();
    let image = image.unwrap_or_else(|| FIRMWARE.to_vec());
    let temporary = match directory {
        Some(_) => None,
        None => Some(tempfile::tempdir().map_err(|error| Failure::Io(format!("no temporary directory: {error}")))?),
    };
    let home: PathBuf = match (directory, &temporary) {
        (Some(directory), _) => directory.into(),
        (None, Some(temporary)) => temporary.path().into(),
        (None, None) => PathBuf::from("."),
    };
    intro(style)?;

    heading(style, 1, "The vendor makes a key and signs a firmware image")?;
    let key = key(directory)?;
    let first = package(&image, Version::new(1, 4, 0, 0), attacks::COUNTER, &key)?;
    let stage = Stage::new(&home, key, first)?;
    say(style, "key", &keys::label(&stage.key_id()));
    say(style, "package", &describe(&stage.first));

    heading(style, 2, "A server hands it out, over HTTPS")?;
    say(style, "server", &format!("{}/ under a CA that was made for this run", stage.url()));
    say(style, "client", "trusts this CA and no other");
    stage.check_tls(style)?;

    heading(style, 3, "A device, fresh from the factory, installs it as it arrives")?;
    let board = &stage.board;
    say(
        style,
        "device",
        &format!("ESP8266, a block buffer of {}, {} of flash, all erased", kib(BLOCK), kib(board.capacity())),
    );
    let flash = story::first_start(&stage, install(&stage)?, style)?;
    print::line("")?;
    let picture = Picture::new(board, &flash, Some(&stage.keys)).terminal(style, style::width() - 3);
    print::text_only(indented(&picture))?;

    heading(style, 4, "Version 1.5.0 is next, and somebody is in between")?;
    let running = format!("slot B, version {}, security counter {}", stage.first.manifest().version, attacks::COUNTER);
    say(style, "running", &running);
    // Another image than the one that runs: the same one, with its version at the end.
    let next = [&image, b"version 1.5.0\0\0\0".as_slice()].concat();
    attacks::verdict(&attack(&stage, &flash, &next, style)?, style)?;

    heading(style, 5, "Version 1.5.0 comes as it was made, and power fails on the way")?;
    let packed = package(&next, Version::new(1, 5, 0, 0), attacks::COUNTER + 1, &stage.key)?;
    let (flash, receipt) = story::power_cut(&stage, &flash, &packed, style)?;

    heading(style, 6, "A reset: it is on trial, shows that it works, and is confirmed")?;
    let flash = story::trial(&stage, &flash, receipt, style)?;

    heading(style, 7, "Version 1.6.0 is signed, comes as a delta of 1.5.0, and hangs")?;
    let bad = [&image, b"version 1.6.0\0\0\0".as_slice()].concat();
    let bad = delta(&next, &bad, Version::new(1, 6, 0, 0), attacks::COUNTER + 1, &stage.key)?;
    let (size, whole) = (bad.bytes().len() as u64, bad.manifest().image_size);
    let percent = encoding::percent(size, whole.into());
    let text = format!("{} in place of {}: {percent:.1} %", count(size, "byte", "bytes"), kib(whole));
    say(style, "package", &text);
    let flash = story::revert(&stage, &flash, &bad, style)?;
    stage.keep(directory, &flash)?;
    print::line(format_args!("\n   {}", style.paint(Tone::Good, "every line of it went as it must")))?;
    if let Some(directory) = directory {
        let path = directory.display();
        print::line(format_args!(
            "\nThe files are in {path}. Look on:\n  lockgate map {path}/flash.bin --geometry esp8266 --key {path}/vendor.pub.pem"
        ))?;
    }
    Ok(())
}

fn intro(style: Style) -> Result<(), Failure> {
    print::line(style.paint(Tone::Strong, "lockgate: firmware updates that are verified before they are written"))?;
    print::line(
        "\nA device downloads its firmware over a network that nobody vouches for, and has no room to keep it until\n\
         it is checked. So each block is proven to be the vendor's the moment it is complete, and written then.",
    )
}

fn heading(style: Style, number: u32, text: &str) -> Result<(), Failure> {
    print::line(format_args!("\n{}", style.paint(Tone::Strong, format_args!("{number}  {text}"))))
}

fn say(style: Style, label: &str, text: &str) {
    line(style, &format!("   {label}"), text);
}

fn indented(text: &str) -> String {
    text.lines().map(|line| if line.is_empty() { "\n".into() } else { format!("   {line}\n") }).collect()
}

/// The bench key of an earlier run in this directory, or a new one. Another key is not for demonstrations, and not put away.
fn key(directory: Option<&Path>) -> Result<SigningKey, Failure> {
    let Some(directory) = directory else { return Ok(SigningKey::generate_bench()) };
    let path = directory.join("vendor.pem");
    if path.exists() {
        let key = keys::signing_key(&path)?;
        return match pack::is_bench(&keys::id(&key.public_key())) {
            true => Ok(key),
            false => Err(Failure::usage(path.display(), "no bench key: choose another directory")),
        };
    }
    let key = SigningKey::generate_bench();
    std::fs::create_dir_all(directory).map_err(|error| Failure::io(directory, error))?;
    NewFile::create(&path, key.to_pem().as_ref().as_bytes(), true)?.keep();
    Ok(key)
}

/// An update of the demo's device, signed by `key`.
fn package(image: &[u8], version: Version, counter: u32, key: &SigningKey) -> Result<Package, Failure> {
    let update = Update::new(VENDOR, CLASS, version, counter);
    update.build(image, &mut [&mut key.clone()]).map_err(|error| Failure::refused("--image", error))
}

/// The same, as a delta of the image that runs.
fn delta(base: &[u8], image: &[u8], version: Version, counter: u32, key: &SigningKey) -> Result<Package, Failure> {
    let update = Update::new(VENDOR, CLASS, version, counter);
    let packed = Payload::delta(base, image, Window::new(8, 7))
        .and_then(|payload| update.encode(&payload, &mut [&mut key.clone()]));
    packed.map_err(|error| Failure::refused("--image", error))
}

fn describe(package: &Package) -> String {
    let manifest = package.manifest();
    let payload = u64::from(manifest.image_size);
    let overhead = (package.bytes().len() as u64 - payload) * 1000 / payload.max(1);
    format!(
        "version {}, security counter {}, {} in {} of {}, {}.{} % overhead",
        manifest.version,
        manifest.security_counter,
        kib(manifest.image_size),
        count(manifest.blocks().into(), "block", "blocks"),
        kib(manifest.block_size()),
        overhead / 10,
        overhead % 10
    )
}

/// The first update: nothing is in its way. Gives the flash as it is then, and the receipt.
fn install(stage: &Stage) -> Result<(FileFlash, Verified), Failure> {
    let mut flash = stage.fresh();
    let mut report = Report::new(false).indented("   ");
    let pause = if std::io::stderr().is_terminal() {
        BAR_TIME / stage.first.manifest().blocks().max(1)
    } else {
        Duration::ZERO
    };
    let outcome = stage.session(&mut flash, stage.keys)?.run(&mut stage.transport("firmware-1.4.0.lgu"), 0, |event| {
        report.tell(&event);
        if let Event::Progress(_) = event {
            sleep(pause);
        }
    });
    report.end();
    let verified = outcome.map_err(|stopped| Failure::Refused(format!("the good package: {stopped}")))?;
    let slot = stage.board.layout().slot_range(verified.slot());
    let erased = flash.journal().borrow().erases.iter().filter(|at| slot.contains(at)).count();
    let erased = count(erased as u64, "sector", "sectors");
    report.say(
        "verified",
        &format!(
            "slot {} holds version {}; {erased} erased, each just before it was filled",
            verified.slot(),
            verified.version()
        ),
    );
    Ok((flash, verified))
}

/// Every attack in turn, each on a device in the same state.
fn attack(stage: &Stage, flash: &[u8], next: &[u8], style: Style) -> Result<Vec<attacks::Outcome>, Failure> {
    let mut outcomes = Vec::new();
    for attack in Attack::all(stage, next)? {
        print::line("")?;
        outcomes.push(attack.run(stage, flash, Slot::B, style)?);
    }
    Ok(outcomes)
}
