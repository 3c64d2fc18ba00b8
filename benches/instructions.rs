//! Instructions on the host, counted by Valgrind: the same on every run of the same build, so that a change of the code
//! shows where a clock would not tell. 256 KiB in blocks of 4 KiB.
//!
//! `cargo bench --bench instructions` needs Valgrind, and the program `gungraun-runner` of the version of the crate
//! `gungraun`: `cargo install gungraun-runner --version 0.20.0`. It says what has changed since the run before.

#![allow(missing_docs)] // what gungraun's macros make has none

use std::hint::black_box;

use gungraun::{library_benchmark, library_benchmark_group, main};
use lockgate::{Digest, Sha2, Sha256, Verified, Verify, P256};

mod common;
use common::Bench;

const SIZE: usize = 256 * 1024;

fn bench() -> Bench {
    Bench::new(SIZE)
}

#[library_benchmark]
#[bench::image(setup = bench)]
fn sha256(bench: Bench) -> Digest {
    let mut hash = Sha2::new();
    hash.update(black_box(&bench.image));
    hash.finish()
}

// The package's own signature.
#[library_benchmark]
#[bench::p256(setup = bench)]
fn verify(bench: Bench) -> bool {
    let (_, signature) = bench.package.head().split_last_chunk().expect("a signature ends the head");
    P256.verify(black_box(&bench.key), black_box(&bench.package.manifest_digest()), black_box(signature))
}

#[library_benchmark]
#[bench::p256(setup = bench)]
fn install(mut bench: Bench) -> Verified {
    bench.install(P256)
}

library_benchmark_group!(name = update, benchmarks = [sha256, verify, install]);
main!(library_benchmark_groups = update);
