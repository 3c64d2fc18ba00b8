#!/usr/bin/env python3
"""Trailers as MCUboot's imgtool writes them: reference for tests/mcuboot.rs.

    python3 -m venv venv && venv/bin/pip install imgtool
    venv/bin/python3 tests/foreign/make_trailers.py           writes tests/foreign/trailers.txt
    venv/bin/python3 tests/foreign/make_trailers.py --check   compares, and fails on a difference

Run it with the interpreter of an environment that has imgtool. Lines of the output, after imgtool's version:

    KIND ALIGN MAX_ALIGN ERASED HEX      the last 256 bytes of an image padded so
    size ALIGN MAX_ALIGN SECTORS BYTES   how large imgtool takes the trailer for
"""

import argparse
import importlib.metadata
import pathlib
import re
import subprocess
import sys
import tempfile

OUTPUT = pathlib.Path(__file__).with_name("trailers.txt")
IMGTOOL = pathlib.Path(sys.executable).with_name("imgtool")
TAIL = 256
SLOT = 0x8000
KINDS = {"pad": ["--pad"], "test": ["--pad", "--test"], "confirm": ["--pad", "--confirm"]}
# --align, --max-align, --erased-val
CASES = [
    (1, 8, "0xff"), (4, 8, "0xff"), (8, 8, "0xff"), (4, 16, "0xff"), (16, 16, "0xff"),
    (8, 32, "0xff"), (32, 32, "0xff"), (4, 8, "0"), (8, 16, "0"), (16, 32, "0"),
]
# --align, --max-align, --max-sectors
SIZES = [(1, 8, 128), (4, 8, 128), (8, 8, 256), (16, 16, 64), (8, 32, 128), (32, 32, 16)]


def sign(payload, *options):
    """What imgtool makes of the payload, or its complaint."""
    with tempfile.TemporaryDirectory() as folder:
        plain, signed = pathlib.Path(folder, "plain.bin"), pathlib.Path(folder, "signed.bin")
        plain.write_bytes(payload)
        done = subprocess.run(
            [IMGTOOL, "sign", "--header-size", "0x200", "--pad-header", "--slot-size", hex(SLOT), "--version",
             "1.2.3", *options, plain, signed], capture_output=True, text=True)
        return (signed.read_bytes(), None) if done.returncode == 0 else (None, done.stderr)


def tail(kind, align, max_align, erased):
    image, complaint = sign(bytes(range(256)) * 4, *KINDS[kind], "--align", str(align), "--max-align", str(max_align),
                            "--erased-val", erased)
    if image is None or len(image) != SLOT:
        sys.exit(f"imgtool did not pad to {SLOT} bytes: {complaint}")
    return image[-TAIL:].hex()


def size(align, max_align, sectors):
    """imgtool names the size where an image does not fit."""
    _, complaint = sign(bytes(SLOT), "--align", str(align), "--max-align", str(max_align), "--max-sectors",
                        str(sectors))
    found = re.search(r"trailer \(0x([0-9a-f]+)\)", complaint or "")
    return int(found[1], 16) if found else sys.exit(f"imgtool did not name its trailer's size: {complaint}")


def make():
    lines = [f"imgtool {importlib.metadata.version('imgtool')}"]
    for align, max_align, erased in CASES:
        for kind in KINDS:
            lines.append(f"{kind} {align} {max_align} {int(erased, 0)} {tail(kind, align, max_align, erased)}")
    lines.extend(f"size {align} {most} {sectors} {size(align, most, sectors)}" for align, most, sectors in SIZES)
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with the file instead of writing it")
    check, lines = parser.parse_args().check, make()
    if not check:
        OUTPUT.write_text("\n".join(lines) + "\n")
        print(f"{OUTPUT.name}: {len(lines) - 1} lines by {lines[0]}")
        return
    kept = OUTPUT.read_text().splitlines()
    if kept[1:] != lines[1:]:
        sys.exit(f"{OUTPUT.name}, by {kept[0]}, is not what {lines[0]} writes")
    print(f"ok: {len(lines) - 1} lines by {kept[0]} are what {lines[0]} writes")


if __name__ == "__main__":
    main()
