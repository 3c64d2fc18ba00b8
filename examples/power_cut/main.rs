//! Cuts power at random, again and again, in the lives of simulated devices, until a promise is broken or all cuts are
//! through.
//!
//! ```text
//! cargo run --release --example power_cut -- --geometry esp8266 --cuts 100000 --seed 1
//! ```

mod rig;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Instant;

use rig::cuts::{explore, factory, storm, Tally, With};
use rig::life::Broken;
use rig::world::{Behaviour, Case, Payloads, Port, World, CASES};
use rig::Rng;

const STORY: &[Behaviour] = &[Behaviour::Good, Behaviour::Hangs, Behaviour::Good, Behaviour::Rejects, Behaviour::Good];

struct Options {
    geometry: String,
    payloads: Payloads,
    cuts: u64,
    seed: u64,
    every: bool,
    pairs: bool,
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(what) => {
            eprintln!("{what}");
            return ExitCode::from(2);
        }
    };
    let cases: Vec<&'static Case> =
        CASES.iter().filter(|case| options.geometry == "all" || options.geometry == case.name).collect();
    if cases.is_empty() {
        let names: Vec<&str> = CASES.iter().map(|case| case.name).collect();
        eprintln!("no geometry '{}': all, {}", options.geometry, names.join(", "));
        return ExitCode::from(2);
    }
    println!(
        "{:<14} {:>10} {:>10} {:>8} {:>10} {:>9} {:>8}",
        "geometry", "cuts", "boots", "lives", "confirmed", "reverted", "seconds"
    );
    let mut all = Tally::default();
    let share = options.cuts.div_ceil(cases.len() as u64);
    for case in cases {
        let start = Instant::now();
        let outcome = match case.port {
            Port::W1R1 => play::<1, 1>(case, share, &options),
            Port::W4R1 => play::<4, 1>(case, share, &options),
            Port::W4R4 => play::<4, 4>(case, share, &options),
            Port::W8R8 => play::<8, 8>(case, share, &options),
            Port::W32R1 => play::<32, 1>(case, share, &options),
        };
        match outcome {
            Ok(tally) => {
                line(case.name, &tally, start.elapsed().as_secs_f64());
                all.add(&tally);
            }
            Err(Broken(what)) => {
                eprintln!("{}: {what}", case.name);
                return ExitCode::FAILURE;
            }
        }
    }
    println!("all: {} cuts, {} boots, {} lives: no promise broken", all.cuts, all.boots, all.lives);
    ExitCode::SUCCESS
}

fn line(name: &str, tally: &Tally, seconds: f64) {
    let Tally { cuts, boots, lives, confirmed, reverted } = tally;
    println!("{name:<14} {cuts:>10} {boots:>10} {lives:>8} {confirmed:>10} {reverted:>9} {seconds:>8.1}");
}

fn play<const W: usize, const R: usize>(case: &'static Case, cuts: u64, options: &Options) -> Result<Tally, Broken> {
    let mut tally = Tally::default();
    if options.every || options.pairs {
        let world = World::with(case, &[Behaviour::Good, Behaviour::Hangs], options.payloads);
        let depth = if options.pairs { 2 } else { 1 };
        let mut rng = Rng::new(options.seed);
        explore::<W, R>(&world, factory(&world, options.seed), depth, With::Every, &mut rng, &mut tally)?;
        return Ok(tally);
    }
    let world = World::with(case, STORY, options.payloads);
    let mean = mean::<W, R>(&world)?;
    let mut seed = options.seed;
    while tally.cuts < cuts {
        let left = (cuts - tally.cuts).min(60);
        storm::<W, R>(&world, seed, left, mean, &mut tally, |_| ()).map_err(|Broken(what)| {
            Broken(format!(
                "{what}\n  again: --geometry {} --payloads {} --seed {seed}",
                case.name,
                options.payloads.name()
            ))
        })?;
        seed = seed.wrapping_add(1);
        if std::io::stdout().is_terminal() {
            print!("\r{:<14} {:>10} of {cuts}\r", case.name, tally.cuts);
            let _ = std::io::stdout().flush();
        }
    }
    Ok(tally)
}

/// Steps between two cuts: about a third of an update.
fn mean<const W: usize, const R: usize>(world: &World) -> Result<u64, Broken> {
    Ok((world.images[0].bytes.len() as u64 / u64::from(world.case.layout.geometry().write_unit())).max(30))
}

fn options() -> Result<Options, String> {
    let mut options =
        Options { geometry: "all".into(), payloads: Payloads::Raw, cuts: 10_000, seed: 1, every: false, pairs: false };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{name} needs a value"));
        let number = |text: String| text.parse().map_err(|_| format!("{name}: '{text}' is no number"));
        match name.as_str() {
            "--geometry" => options.geometry = value()?,
            "--payloads" => options.payloads = Payloads::named(&value()?).ok_or("--payloads: raw, compressed, deltas, compressed-deltas")?,
            "--cuts" => options.cuts = number(value()?)?,
            "--seed" => options.seed = number(value()?)?,
            "--every" => options.every = true,
            "--pairs" => options.pairs = true,
            _ => {
                return Err(format!(
                    "power_cut: '{name}' is not known\n\
                     usage: power_cut [--geometry NAME|all] [--payloads KIND] [--cuts N] [--seed S]   cuts at random\n       \
                     power_cut [--geometry NAME|all] --every                  a cut at every operation, every outcome\n       \
                     power_cut [--geometry NAME|all] --pairs                  and a second one in the recovery"
                ))
            }
        }
    }
    Ok(options)
}
