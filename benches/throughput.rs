//! How fast an install is on the host, against plain SHA-256 of the same bytes: what authentication block by block, writing
//! and reading back add to the one hash that every verified update needs.
//!
//! 16 MiB in blocks of 4 KiB, into a flash that is plain memory. The signature is not counted: the verifier here accepts,
//! since its cost is the same for an image of any size (`instructions.rs` has it). The device is one whose boot stage
//! hashes the image, so that each byte is hashed once here.
//!
//! `cargo bench --bench throughput` ends with the ratio; `chip/run.sh` puts it into the table.

use std::hint::black_box;
use std::time::{Duration, Instant};
use std::{env, fs};

use criterion::{Criterion, Throughput};
use lockgate::{Digest, PublicKey, Sha2, Sha256, Verify};

mod common;
use common::{copy, Bench};

const SIZE: usize = 16 << 20;
/// Times that both are done for the ratio.
const ROUNDS: usize = 20;

/// Accepts every signature: for this measurement only.
struct Accepting;

impl Verify for Accepting {
    fn verify(&mut self, _: &PublicKey, _: &Digest, _: &[u8; 64]) -> bool {
        true
    }
}

fn sha256(image: &[u8]) -> Digest {
    let mut hash = Sha2::new();
    hash.update(black_box(image));
    hash.finish()
}

/// The times of plain SHA-256, of an install, and of what the flash costs by itself. The three take turns, and the fastest
/// of each counts: what else the machine does slows some rounds down, and speeds up none.
fn times(bench: &mut Bench) -> [f64; 3] {
    let mut best = [Duration::MAX; 3];
    for _ in 0..ROUNDS {
        let tasks: [fn(&mut Bench); 3] = [
            |bench| _ = black_box(sha256(&bench.image)),
            |bench| _ = black_box(bench.install(Accepting)),
            |bench| copy(bench).expect("the image fits"),
        ];
        for (best, task) in best.iter_mut().zip(tasks) {
            let start = Instant::now();
            task(bench);
            *best = start.elapsed().min(*best);
        }
    }
    best.map(|time| time.as_secs_f64())
}

fn main() {
    let mut bench = Bench::new(SIZE);
    let mut criterion =
        Criterion::default().sample_size(10).measurement_time(Duration::from_secs(4)).configure_from_args();
    let mut group = criterion.benchmark_group("16 MiB");
    group.throughput(Throughput::Bytes(SIZE as u64));
    group.bench_function("sha256", |bencher| bencher.iter(|| sha256(&bench.image)));
    group.bench_function("install", |bencher| bencher.iter(|| bench.install(Accepting)));
    group.finish();
    criterion.final_summary();

    // Without `--bench` criterion only tries whether all works.
    if env::args().any(|argument| argument == "--bench") {
        let [hash, install, flash] = times(&mut bench);
        let (ratio, net) = (hash / install, hash / (install - flash));
        println!("install: {ratio:.3} of the speed of plain SHA-256; {net:.3} without what the flash in memory costs");
        let found = format!("{ratio:.3} {net:.3} {}\n", if sha256_in_hardware() { "hardware" } else { "software" });
        fs::write(concat!(env!("CARGO_TARGET_TMPDIR"), "/throughput"), found).expect("the ratio can be written");
    }
}

/// Whether `sha2` has instructions for it, which leaves little time to hide anything behind.
fn sha256_in_hardware() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("sha");
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}
