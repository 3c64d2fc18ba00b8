"""Runs the tests of the ESP8266 example under emulation: ./run.py [-k PART OF A NAME] [--jobs N]

Each test is a promise, in cases.py, deltas.py or rotation.py. Prints a line a test, the RAM that was used, and the
instructions that things took; ends with 1 if a promise was not kept or a budget exceeded."""

import functools
import pathlib
import re
import sys

import cases
import deltas
import figures
import machine
import rotation
import sizes
from bench import Bench
from rotation import WITHOUT_RECORDS

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2]))
import promises  # noqa: E402

KIB = 1024
# What compressed packages and deltas may cost, decoder, window and piece included.
DECODING = KIB + KIB // 2
SIGNATURES = "flash-https-signatures.bin"
# What the ROM measures, in all tests: (what, the flashes with which devices began, who, most bytes).
BUDGETS = [
    ("HTTPS, 1 KiB fragments", ["flash-https.bin", SIGNATURES], "the application", 20 * KIB + DECODING),
    ("HTTPS, 4 KiB fragments", ["flash-https-4k.bin"], "the application", 26 * KIB + DECODING),
    ("UART", ["flash-uart.bin"], "the application", 10 * KIB + DECODING),
    ("boot stage, hash check", ["flash-https.bin", "flash-https-4k.bin", "flash-uart.bin"], "the boot stage", 4 * KIB),
    # Which key sets there are it looks up itself then.
    ("boot stage, hash check, records lost", [f"flash-https.bin{WITHOUT_RECORDS}"], "the boot stage", 6 * KIB),
    ("boot stage, signature check", [SIGNATURES, f"{SIGNATURES}{WITHOUT_RECORDS}"], "the boot stage", 12 * KIB),
]


def run(item):
    """One test: its name, seconds, failure if it failed, and what the devices said about themselves."""
    name, test = item
    said = machine.LOG = []
    return name, *promises.judge(test, Bench()), said


def split(test, jobs):
    """The power cuts are many: each job does a part of them."""
    if test is not cases.power_cuts_in_an_update_and_the_first_boots_lose_nothing:
        return [(test.__name__, test)]
    parts = [range(start, cases.CUTS, 4 * jobs) for start in range(4 * jobs)]
    return [(f"{test.__name__} ({len(part)} lives)", functools.partial(test, seeds=part)) for part in parts]


def measured(results, flashes, who):
    logs = (said for _, _, _, log in results for flash, said in log if flash in flashes)
    return [int(size) for said in logs for size in re.findall(rf"rom: {who} used (\d+) bytes of DRAM", said)]


def instructions(cycles):
    """The machine counts 40 million cycles a second, and runs an instruction in 16 ns (-icount shift=4)."""
    return cycles * 25 / 16


def report(results, whole_run):
    """Prints what was measured, and keeps it if the run was a whole one."""
    failures, ram = [], []
    print(f"\n{'RAM':38}{'used':>8}{'at most':>9}   bytes")
    for what, flashes, who, most in BUDGETS:
        sizes = measured(results, flashes, who)
        if not sizes:
            continue
        print(f"{what:38}{max(sizes):8,}{most:9,}")
        ram.append((what, max(sizes), most))
        if max(sizes) > most:
            failures.append(f"{what}: {max(sizes)} bytes of RAM, at most {most}")
    log = next(("".join(said for _, said in log) for name, _, _, log in results if name.startswith("an_update_is_tried")), "")
    cycles = [re.search(pattern, log) for pattern in (r"authenticated, (\d+)", r"signature checked, (\d+)", r"from byte 0 on, (\d+)")]
    if all(cycles):
        handshake, signature, whole = (instructions(int(match[1])) for match in cycles)
        size = len(machine.file("https-2.lgu"))
        print(f"\n{'instructions':32}{'millions':>10}{'at 80 MHz':>12}{'at 160 MHz':>12}")
        steps = [("TLS handshake", handshake), ("signature of a package", signature), (f"the rest of {size:,} bytes", whole - signature)]
        for what, count in steps:
            print(f"{what:32}{count / 1e6:10.1f}{count / 80e6:10.2f} s{count / 160e6:10.2f} s")
        each = (whole - signature) / size
        print(f"{'that is, for each byte':32}{each:10.0f}")
        if whole_run:
            figures.keep(ram=ram, instructions=steps, **{"each byte": each})
    compare(results, whole_run)
    return failures


def one(results, name, flash):
    """What the first device of a test used and did: bytes of RAM, instructions of the package behind its signature."""
    said = next("".join(said for kind, said in log if kind == flash) for test, _, _, log in results if test.startswith(name))
    signature, whole = (int(re.search(pattern, said)[1]) for pattern in (r"signature checked, (\d+)", r"from byte 0 on, (\d+)"))
    ram = max(int(size) for size in re.findall(r"rom: the application used (\d+) bytes", said))
    return ram, instructions(whole - signature)


def compare(results, whole_run):
    """An update by delta beside one by the whole image."""
    flash, packages = "flash-https.bin", {"whole image": "https-2", "delta": "delta-2"}
    names = ("an_update_is_tried", "an_update_by_delta_is_tried")
    if not all(any(test.startswith(name) and failure is None for test, _, failure, _ in results) for name in names):
        return
    statics = sum(sizes.sections(machine.OUT / "https-1.elf").get(section, (0, 0))[0] for section in (".rodata", ".bss"))
    rows = {}
    for name, (kind, package) in zip(names, packages.items()):
        ram, count = one(results, name, flash)
        rows[kind] = {"received": len(machine.file(f"{package}.lgu")), "instructions": count, "RAM": ram, "stack": ram - statics}
        print(f"{kind}: {rows[kind]['received']:,} bytes received, {count / 1e6:.1f} M instructions behind the signature, {ram:,} bytes of RAM, {ram - statics:,} of them stack")
    if whole_run:
        figures.keep(delta=rows, image=len(machine.file("https-more-2.bin")))


if __name__ == "__main__":
    promises.main(__doc__, cases.TESTS + deltas.TESTS + rotation.TESTS, split, run, report)
