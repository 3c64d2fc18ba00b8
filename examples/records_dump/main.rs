//! Writes record logs as power cuts leave them, each with what the library makes of it, for `tests/records/check.sh` to
//! have an independent decoder judge the same.
//!
//! ```text
//! cargo run --release --example records_dump -- DIRECTORY [MOMENTS] [SEED]
//! ```

#[path = "../power_cut/rig/mod.rs"]
mod rig;
mod rotation;

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lockgate::geometry::Sector;
use lockgate::sim::{records, Flash};
use lockgate::{BootReason, BootStatus, Control, Device, Layout, Reason, Strategy, UpdateState};
use rig::cuts::{storm, Tally};
use rig::life::Broken;
use rig::world::{Behaviour, Case, Port, World, CASES};
use rig::Rng;

const STORY: &[Behaviour] = &[Behaviour::Good, Behaviour::Hangs, Behaviour::Good, Behaviour::Rejects, Behaviour::Good];

/// Power cuts of one life, and the power-ons of which one is written.
const CUTS: u64 = 60;
const ONE_IN: u64 = 3;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, or: u64| arguments.get(at).map_or(Some(or), |text| text.parse().ok());
    let (Some(directory), Some(moments), Some(seed)) = (arguments.first(), number(1, 3000), number(2, 1)) else {
        eprintln!("usage: records_dump DIRECTORY [MOMENTS] [SEED]");
        return ExitCode::from(2);
    };
    // One in five is of a device that rotates its keys.
    if let Err(Broken(what)) = rotation::moments(Path::new(directory), moments.div_ceil(5), seed) {
        eprintln!("{what}");
        return ExitCode::FAILURE;
    }
    let moments = moments / 5 * 4;
    for (number, case) in (0u64..).zip(CASES) {
        // Every geometry has its share of the moments, the last ones one less.
        let share = (moments + CASES.len() as u64 - 1 - number) / CASES.len() as u64;
        let dump = Dump { directory: directory.into(), world: World::new(case, STORY), share };
        let outcome = match case.port {
            Port::W1R1 => dump.moments::<1, 1>(seed),
            Port::W4R1 => dump.moments::<4, 1>(seed),
            Port::W4R4 => dump.moments::<4, 4>(seed),
            Port::W8R8 => dump.moments::<8, 8>(seed),
            Port::W32R1 => dump.moments::<32, 1>(seed),
        };
        if let Err(Broken(what)) = outcome {
            eprintln!("{}: {what}", case.name);
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

struct Dump {
    directory: PathBuf,
    world: World,
    share: u64,
}

impl Dump {
    /// Lives until there are enough moments.
    fn moments<const W: usize, const R: usize>(&self, mut seed: u64) -> Result<(), Broken> {
        let Case { name, image, layout, .. } = *self.world.case;
        let region = layout.records_range();
        let mean = image as u64 / u64::from(layout.geometry().write_unit());
        let (mut rng, mut written, mut failed) = (Rng::new(!seed), 0, None);
        while written < self.share && failed.is_none() {
            storm::<W, R>(&self.world, seed, CUTS, mean.max(30), &mut Tally::default(), |flash| {
                if written < self.share && rng.one_in(ONE_IN) {
                    let mut flash = flash.clone();
                    let is_hurt = rng.one_in(2);
                    if is_hurt {
                        hurt(layout, region.clone(), &mut flash, &mut rng);
                    }
                    let path = self.directory.join(format!("{name}-{written:04}"));
                    let written_one = write(self.world.device, region.end, &mut flash, is_hurt, "", &path);
                    failed = written_one.err().or(failed.take());
                    written += 1;
                }
            })?;
            seed = seed.wrapping_add(1);
        }
        failed.map_or(Ok(()), Err)
    }
}

/// What a power cut cannot do: bits that flip, and units that read as an error, wherever in `region` something may be.
fn hurt<const W: usize, const R: usize>(layout: &Layout, region: Range<u32>, flash: &mut Flash<W, R>, rng: &mut Rng) {
    for _ in 0..=rng.below(4) {
        let sector = region.start + rng.below((region.end - region.start).into()) as u32;
        let Sector { start, size } = layout.geometry().sector(sector).expect("a sector of the region");
        let erased = layout.geometry().erased();
        let bytes = &flash.bytes()[start as usize..][..size as usize];
        let used = bytes.iter().rposition(|&byte| byte != erased).map_or(0, |last| last as u32 + 1);
        // One in two where the last records are, and what is blank behind them.
        let end = (used + 64).min(size);
        let within = if rng.one_in(2) { end.saturating_sub(512)..end } else { 0..size };
        let address = start + within.start + rng.below(within.len() as u64) as u32;
        if rng.one_in(2) {
            flash.rot(address, rng.below(8) as u8);
        } else {
            flash.fail_read(address);
        }
    }
}

/// The flash up to `end`, and what the library says of it.
fn write<const W: usize, const R: usize>(
    device: &Device<'_>,
    end: u32,
    flash: &mut Flash<W, R>,
    hurt: bool,
    more: &str,
    path: &Path,
) -> Result<(), Broken> {
    let status = Control::new(device, &mut *flash).status();
    let status = status.map_err(|error| Broken(format!("the records cannot be read: {error}")))?;
    let bytes = flash.bytes()[..end as usize].to_vec();
    let written = fs::write(path.with_extension("bin"), bytes)
        .and_then(|()| fs::write(path.with_extension("json"), json(device.layout(), flash, hurt, &status, more)));
    written.map_err(|error| Broken(format!("{}: {error}", path.display())))
}

/// Where the log lies, what of it cannot be read, and what the library says.
fn json<const W: usize, const R: usize>(
    layout: &Layout,
    flash: &mut Flash<W, R>,
    hurt: bool,
    status: &BootStatus,
    more: &str,
) -> String {
    let (geometry, region) = (layout.geometry(), layout.records_range());
    let mut sectors = Vec::new();
    let mut at = region.start;
    while let Some(sector) = geometry.sector(at).filter(|_| at < region.end) {
        sectors.push(sector.size);
        at = sector.end();
    }
    let unreadable: Vec<u32> = flash.unreadable().filter(|address| region.contains(address)).collect();
    let (unit, erased) = (geometry.write_unit().max(4), geometry.erased());
    let swap = layout.strategy() == Strategy::Swap;
    let manifest = status.manifest.map_or("null".into(), |digest| format!("\"{digest}\""));
    let state = records(layout, flash).state;
    let (keys, base, older) = state.map_or((0, 0, false), |state| (state.keys, state.base, state.older));
    format!(
        "{{\"start\": {}, \"sectors\": {sectors:?}, \"unit\": {unit}, \"erased\": {erased}, \
         \"unreadable\": {unreadable:?}, \"swap\": {swap}, \"hurt\": {hurt}, \"status\": {{\"recorded\": {}, \
         \"update\": \"{}\", \"reason\": {}, \"running\": \"{}\", \"confirmed\": \"{}\", \"security_counter\": {}, \
         \"manifest\": {manifest}, \"keys\": {keys}, \"base\": {base}, \"older\": {older}}}{more}}}\n",
        region.start,
        status.recorded,
        update(status.update),
        reason(status.reason),
        status.running,
        status.confirmed,
        status.security_counter,
    )
}

fn update(state: UpdateState) -> &'static str {
    match state {
        UpdateState::None => "none",
        UpdateState::Receiving => "receiving",
        UpdateState::Pending => "pending",
        UpdateState::Trial => "trial",
        UpdateState::Swapping => "swapping",
        _ => "unknown",
    }
}

fn reason(reason: BootReason) -> String {
    match reason {
        BootReason::Confirmed => "{\"name\": \"confirmed\"}".into(),
        BootReason::Trial { attempt, limit } => {
            format!("{{\"name\": \"trial\", \"attempt\": {attempt}, \"limit\": {limit}}}")
        }
        BootReason::Reverted(why) => format!("{{\"name\": \"reverted\", \"reason\": {}}}", number(why)),
        _ => "null".into(),
    }
}

/// The record's number for it.
fn number(reason: Reason) -> u8 {
    match reason {
        Reason::NotConfirmed => 1,
        Reason::Invalid => 2,
        Reason::Rejected => 3,
        Reason::Fallback => 4,
        Reason::Foreign => 5,
        _ => 0,
    }
}
