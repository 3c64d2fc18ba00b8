#!/usr/bin/env python3
"""How large deltas of real firmware are, beside those of detools: ./deltas.py [--check]

Builds three pairs of images, makes a patch of each by this library and by detools (both heatshrink, window 8, lookahead 7), applies each patch by
the other side, and writes the table into RESULTS.md; with --check only prints it. Fails if a patch of ours is larger than it may be.

A pair is built in one place, a copy of the repository in target/deltas, and only what deltas/*.patch says changes in between: a compiler's order of
functions depends on where its sources lie. Needs what the examples need (../examples/*/README.md); `detools` comes from PyPI."""

import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
WORK = ROOT / "target" / "deltas"
TREE = WORK / "tree"
PAYLOAD = WORK / "cargo" / "release" / "examples" / "payload"
RESULTS = ROOT / "benches" / "RESULTS.md"
WINDOW, LOOKAHEAD = 8, 7

OF_DETOOLS = 1.05  # the most, of what detools makes
OF_IMAGE = 0.16  # the most, of the image


def run(*command, cwd=ROOT, **options):
    subprocess.run([str(word) for word in command], cwd=cwd, check=True, **options)


# ---- what is there already -----------------------------------------------------------------------------------------


def tools():
    """detools, and the example `payload` of the library."""
    if not (WORK / "venv/bin/detools").exists():
        run(sys.executable, "-m", "venv", WORK / "venv")
        run(WORK / "venv/bin/pip", "install", "-q", "detools==0.53.0")
    run("cargo", "build", "-q", "--release", "-p", "lockgate", "--features", "pack", "--example", "payload", "--target-dir", WORK / "cargo")


def copy():
    """The repository as it is, in TREE. Files that are the same stay untouched, so that they are not compiled anew."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    for name in filter(None, listed.split("\0")):
        source, copied = ROOT / name, TREE / name
        if not source.is_file() or source.is_symlink():
            continue
        if not copied.exists() or copied.read_bytes() != source.read_bytes():
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, copied)
    # What both compile alike, crates and keys, is compiled and made once.
    for board in ("esp8266", "microbit"):
        here, there = ROOT / "examples" / board / "target", TREE / "examples" / board / "target"
        here.mkdir(exist_ok=True)
        if not there.is_symlink():
            there.symlink_to(here)


# ---- the pairs -----------------------------------------------------------------------------------------------------


def image(board, *arguments):
    """Bytes of an application's image."""
    run("./build.sh", "image", *arguments, cwd=TREE / "examples" / board)
    return (ROOT / "examples" / board / "target" / board / f"{arguments[0]}.bin").read_bytes()


def changed(board):
    """The copy becomes its version 2."""
    patch = ROOT / "benches" / "deltas" / f"{board}.patch"
    done = subprocess.run(["patch", "-p1", "-i", patch], cwd=TREE, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"error: {patch} does not fit the sources any more, renew it:\n{done.stdout}{done.stderr}")


def pairs():
    """Name, base, image."""
    esp8266 = image("esp8266", "deltas-1", 1)
    yield "ESP8266 application, one constant", esp8266, image("esp8266", "deltas-constant", 2)
    changed("esp8266")
    yield "ESP8266 application, small change", esp8266, image("esp8266", "deltas-2", 2)
    microbit = image("microbit", "deltas-1")
    changed("microbit")
    yield "micro:bit application, small change", microbit, image("microbit", "deltas-2")


# ---- the patches ---------------------------------------------------------------------------------------------------


def patches(base, image):
    """Ours and detools', each applied by the other."""
    old, new, ours, theirs, made = (WORK / name for name in ("base", "image", "ours", "theirs", "made"))
    old.write_bytes(base), new.write_bytes(image)
    run(PAYLOAD, "delta", old, new, "-o", ours, WINDOW, LOOKAHEAD)
    detools = WORK / "venv/bin/detools"
    heatshrink = ("--heatshrink-window-sz2", WINDOW, "--heatshrink-lookahead-sz2", LOOKAHEAD)
    run(detools, "-l", "error", "create_patch", "-c", "heatshrink", *heatshrink, old, new, theirs, stdout=subprocess.DEVNULL)
    for applied in ((detools, "-l", "error", "apply_patch", old, ours, made), (PAYLOAD, "apply", old, theirs, "-o", made)):
        made.unlink(missing_ok=True)
        run(*applied, stdout=subprocess.DEVNULL)
        if made.read_bytes() != image:
            sys.exit(f"error: {applied[0]} makes another image")
    return ours.stat().st_size, theirs.stat().st_size


def main():
    tools()
    copy()
    failures, rows = [], []
    for name, base, new in pairs():
        ours, theirs = patches(base, new)
        rows.append((name, f"{len(new):,}", f"{ours:,}", f"{theirs:,}", f"{ours / theirs:.3f}", f"{ours / len(new):.1%}"))
        if ours > OF_DETOOLS * theirs:
            failures.append(f"{name}: {ours} bytes, detools needs {theirs}")
        if ours > OF_IMAGE * len(new):
            failures.append(f"{name}: {ours} bytes are more than {OF_IMAGE:.0%} of the image")
    head = ("pair", "image", "patch", "detools", "ratio", "of the image")
    lines = ["| " + " | ".join(row) + " |" for row in (head, ("---", *["--:"] * 5), *rows)]
    print("\n".join(lines))
    if "--check" not in sys.argv[1:]:
        text, places = re.subn(
            r"(<!-- deltas: written by deltas\.py -->\n).*?(<!-- end of deltas -->)",
            lambda found: found[1] + "\n".join(lines) + "\n" + found[2], RESULTS.read_text(), flags=re.S,
        )  # fmt: skip
        if places != 1:
            sys.exit(f"error: {RESULTS} has no place for the table")
        RESULTS.write_text(text)
    for failure in failures:
        print(f"error: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
