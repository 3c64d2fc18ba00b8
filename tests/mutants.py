#!/usr/bin/env python3
"""Known mistakes, built into the code on purpose: the proof (examples/power_cut) must notice each of them.

    tests/mutants.py                    build, run and judge every mutant
    tests/mutants.py --list             their names
    tests/mutants.py --only SUBSTRING   those whose names hold it

Works on a copy below target/mutants; the tree itself is never changed."""

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from mutants_table import MUTANTS

ROOT = Path(__file__).resolve().parent.parent
# One place for both: two copies that shared a target directory would run each other's stale binaries.
COPY = ROOT / "target/mutants/copy"
TARGET = ROOT / "target/mutants/target"
PARTS = ("src", "examples/power_cut", "docs", "README.md", "Cargo.lock", "tests/vectors/test-key-a.pem")
BUILD = ("cargo", "build", "--release", "--example", "power_cut", "--features", "pack,sim")
PROOF = TARGET / "release/examples/power_cut"
BUILD_SECONDS, RUN_SECONDS = 600, 120

class Failure(Exception):
    """The mutant could not be judged."""


def write(path, text):
    """Only what differs, so that cargo builds only that."""
    if not path.exists() or path.read_bytes() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)


def copy_tree():
    wanted = {}
    for part in PARTS:
        files = [ROOT / part] if (ROOT / part).is_file() else sorted((ROOT / part).rglob("*"))
        wanted.update((path.relative_to(ROOT), path.read_bytes()) for path in files if path.is_file())
    # Neither the tool nor what only the tests need: less to build.
    manifest = re.split(r"(?m)^(?=\[)", (ROOT / "Cargo.toml").read_text())
    drop = re.compile(r'\[dev-dependencies\]|\[\[bench\]\]|\[\[example\]\]\nname = "(?!power_cut")')
    manifest = "".join(section for section in manifest if not drop.match(section))
    wanted[Path("Cargo.toml")] = manifest.replace('members = ["cli"]', "members = []").encode()
    for path in COPY.rglob("*"):
        if path.is_file() and path.relative_to(COPY) not in wanted:
            path.unlink()
    for path, text in wanted.items():
        # Cargo shortens its copy of the lock file.
        if path != Path("Cargo.lock") or not (COPY / path).exists():
            write(COPY / path, text)


def build():
    env = {**os.environ, "CARGO_TARGET_DIR": str(TARGET), "CARGO_INCREMENTAL": "1"}
    try:
        done = subprocess.run(BUILD, cwd=COPY, env=env, capture_output=True, text=True, timeout=BUILD_SECONDS)
    except subprocess.TimeoutExpired:
        raise Failure("the build takes too long") from None
    if done.returncode:
        raise Failure("it does not build:\n" + "\n".join(done.stderr.splitlines()[-30:]))


def broken(arguments):
    """The promise that the proof finds broken; nothing if it finds none."""
    try:
        done = subprocess.run([PROOF, *arguments.split()], capture_output=True, text=True, timeout=RUN_SECONDS)
    except subprocess.TimeoutExpired:
        raise Failure(f"{arguments}: takes too long") from None
    if done.returncode == 1 and done.stderr.strip():
        return done.stderr.strip().splitlines()[0]
    if done.returncode:
        raise Failure(f"{arguments}: exit status {done.returncode}\n{done.stderr.strip()}")
    return None


def changed(mutant):
    """The files that it changes, as they are to be; an error if the code has changed under it."""
    texts = {}
    for edit in mutant.edits:
        text = texts.get(edit.path) or (ROOT / edit.path).read_text()
        if text.count(edit.old) != 1:
            raise Failure(f"mutant is stale: its text occurs {text.count(edit.old)} times in {edit.path}")
        texts[edit.path] = text.replace(edit.old, edit.new)
    return texts


def judge(mutant):
    """By what the mutant is caught; nothing if it survives."""
    texts = changed(mutant)
    before = {path: (COPY / path).read_bytes() for path in texts}
    try:
        for path, text in texts.items():
            write(COPY / path, text.encode())
        build()
        return next((what for what in map(broken, mutant.tries) if what), None)
    finally:
        for path, text in before.items():
            write(COPY / path, text)


def short(text, width):
    return text if len(text) <= width else text[: width - 3] + "..."


def main():
    parser = argparse.ArgumentParser(description="Known mistakes make the proof fail.")
    parser.add_argument("--only", action="append", default=[], metavar="SUBSTRING", help="only mutants whose names hold it; may be repeated")
    parser.add_argument("--list", action="store_true", help="print their names")
    options = parser.parse_args()
    chosen = [mutant for mutant in MUTANTS if any(only in mutant.name for only in options.only or [""])]
    if options.list:
        print("\n".join(mutant.name for mutant in chosen))
        return 0
    if not chosen:
        print(f"no mutant's name holds '{options.only}'", file=sys.stderr)
        return 2

    start = time.monotonic()
    copy_tree()
    bad = []
    try:
        build()
        for arguments in dict.fromkeys(arguments for mutant in chosen for arguments in mutant.tries):
            if what := broken(arguments):
                raise Failure(f"{arguments}: {what}")
    except Failure as failure:
        print(f"the code as it is: {failure}", file=sys.stderr)
        return 1
    print(f"the code as it is keeps its promises ({time.monotonic() - start:.0f} s)", flush=True)

    width = max(len(mutant.name) for mutant in chosen)
    print(f"{'mutant':<{width}}  {'s':>5}  caught by")
    for mutant in chosen:
        begun = time.monotonic()
        try:
            caught = judge(mutant) or "SURVIVES"
            if caught == "SURVIVES":
                bad.append(f"{mutant.name}: survives {', '.join(mutant.tries)}")
        except Failure as failure:
            caught = "ERROR"
            bad.append(f"{mutant.name}: {failure}")
        print(f"{mutant.name:<{width}}  {time.monotonic() - begun:>5.1f}  {short(caught, 90)}", flush=True)
    print(f"{len(chosen) - len(bad)} of {len(chosen)} mutants caught in {time.monotonic() - start:.0f} s")
    print("\n".join(bad), file=sys.stderr, end="\n" if bad else "")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
