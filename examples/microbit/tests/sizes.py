"""How large the programs are, and whether they keep to their budgets. The RAM they use is measured by run.py."""

import pathlib
import struct
import sys

KIB = 1024
# name: (what, most bytes)
PROGRAMS = {
    "boot": ("boot stage", 20 * KIB),
    "boot-signatures": ("boot stage with signature check", 40 * KIB),
    "app": ("application", 60 * KIB),
}


def main(out):
    failures = []
    print(f"{'':34}{'flash':>9}{'at most':>9}   bytes")
    for name, (what, most) in PROGRAMS.items():
        image = (out / f"{name}.bin").read_bytes()
        print(f"{what:34}{len(image):9,}{most:9,}")
        if len(image) > most:
            failures.append(f"{what}: {len(image)} bytes of flash, at most {most}")
        stack, reset = struct.unpack_from("<II", image)
        if stack != 0x20004000 or not reset & 1:
            failures.append(f"{what}: begins with no vector table: {stack:#x}, {reset:#x}")
    for failure in failures:
        print(f"error: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
