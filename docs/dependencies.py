#!/usr/bin/env python3
"""Writes docs/dependencies.md: every crate that is compiled into a device's firmware, by `cargo metadata`, each with a reason.
With --check it compares instead, and fails if the page is not current or a crate has no reason."""

import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "dependencies.md"
TARGET = "thumbv7em-none-eabihf"
FEATURES = ["--no-default-features", "--features", "p256"]

# Why each is there. A crate without a line here is news to whoever reviews it.
WHY = {
    "base16ct": "hexadecimal for `elliptic-curve`'s own types; for uses that lockgate does not make",
    "block-buffer": "collects bytes to the 64 of a SHA-256 block",
    "byteorder": "`hash32`'s reading of integers; for uses that lockgate does not make",
    "cfg-if": "chooses `sha2`'s implementation for the target",
    "const-oid": "names of algorithms as constants, for `der`; for uses that lockgate does not make",
    "crypto-bigint": "the field and scalar arithmetic of P-256, in constant time",
    "crypto-common": "traits that `digest` is made of",
    "der": "DER signatures, which `ecdsa` can read; lockgate's are r and s",
    "digest": "the trait between a hash and who uses it",
    "ecdsa": "the verification equation of ECDSA",
    "elliptic-curve": "points and scalars, and their checks",
    "embedded-io": "`Updater` is a `Write`, transports are `Read`: the traits that HALs and network stacks share",
    "embedded-storage": "`NorFlash`: the trait that flash drivers share",
    "ff": "traits of finite fields",
    "generic-array": "arrays whose length is a type, of before the language had them",
    "group": "traits of groups",
    "hash32": "part of `heapless`; for uses that lockgate does not make",
    "heapless": "vectors and strings of fixed room",
    "hmac": "for `rfc6979`; for uses that lockgate does not make",
    "p256": "the curve P-256. Leave it out (`default-features = false`) and bring a `Verify` of your own",
    "primeorder": "the point formulas that `p256` is made of",
    "rand_core": "a trait for randomness, to sign; for uses that lockgate does not make",
    "rfc6979": "signing without randomness; for uses that lockgate does not make",
    "sec1": "points as bytes",
    "sha2": "SHA-256. Leave it unused with a `Sha256` of your own",
    "signature": "traits of signing and verifying",
    "stable_deref_trait": "part of `heapless`; for uses that lockgate does not make",
    "subtle": "comparisons in constant time, which the arithmetic is written with",
    "typenum": "numbers as types, for `generic-array`",
    "zeroize": "wipes secrets; a device has none",
}

HEAD = """# What is compiled into a device

<!-- made by docs/dependencies.py: ./ci.sh deny sees to it that it is current -->

The library with its default feature, for {target}: lockgate and {count} crates, all of them Rust, from crates.io, at the versions and hashes of `Cargo.lock`. `embedded-io` and
`embedded-storage` are traits alone; {crypto} come with `p256`, and are not there without it. Licences, sources and duplicates, the tool's too, are checked by `deny.toml`.

| crate | version | licence | why |
|---|---|---|---|
"""


def metadata(features):
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", TARGET]
    command += ["--manifest-path", str(ROOT / "Cargo.toml")] + features
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def tree(features):
    """Names and versions of what is compiled in. `cargo tree` resolves features of this package alone, as a device's build does."""
    command = ["cargo", "tree", "--locked", "-p", "lockgate", "-e", "normal", "--target", TARGET, "--prefix", "none"]
    command += ["--manifest-path", str(ROOT / "Cargo.toml")] + features
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    crates = {tuple(line.split()[:2]) for line in lines if line}
    return sorted((name, version.lstrip("v")) for name, version in crates if name != "lockgate")


def page():
    packages = {(p["name"], p["version"]): p for p in metadata(["--all-features"])["packages"]}
    crates = tree(FEATURES)
    without = tree(["--no-default-features"])
    missing = [name for name, _ in crates if name not in WHY]
    if missing:
        sys.exit(f"error: no reason in docs/dependencies.py for {', '.join(missing)}")
    stale = sorted(set(WHY) - {name for name, _ in crates})
    if stale:
        sys.exit(f"error: docs/dependencies.py has reasons for crates that are not there: {', '.join(stale)}")
    strangers = [name for name, version in crates if "crates.io-index" not in (packages[name, version]["source"] or "")]
    if strangers:
        sys.exit(f"error: not from crates.io: {', '.join(strangers)}")
    text = HEAD.format(target=TARGET, count=len(crates), crypto=len(crates) - len(without))
    for name, version in crates:
        licence = packages[name, version]["license"].replace("/", " OR ").replace("  ", " ")
        text += f"| [`{name}`](https://crates.io/crates/{name}) | {version} | {licence} | {WHY[name]} |\n"
    return text


def main():
    text = page()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(text)
        return
    if not PAGE.exists() or PAGE.read_text() != text:
        sys.exit("error: docs/dependencies.md is not current: run docs/dependencies.py")


main()
