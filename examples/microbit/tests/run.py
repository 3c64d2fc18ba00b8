"""Runs the tests of the micro:bit example under emulation: ./run.py [-k PART OF A NAME] [--jobs N]

Each test is a promise, in cases.py. Prints a line a test and what was measured; ends with 1 if a promise was not kept or a
budget exceeded."""

import contextlib
import functools
import io
import json
import pathlib
import re
import sys
import tempfile

import cases
import power
from machine import OUT, Machine

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2]))
import promises  # noqa: E402

KIB = 1024
# What is measured: most.
BUDGETS = {
    "RAM of the application": 8 * KIB,
    "RAM of the application, by delta": 8 * KIB,
    "RAM of the boot stage": 8 * KIB,
    "RAM of the boot stage with signatures": 12 * KIB,
    "erases of an exchange": 120,
}
# Resets at random moments, by QEMU's monitor: at least.
RESETS = 50
PENDING = ("app-2", "hang", "crash", "no-vectors")


class Bench:
    """One test's own; its directory goes away with it."""

    def __init__(self):
        self._directory = tempfile.TemporaryDirectory(prefix="lockgate-")
        self.directory = pathlib.Path(self._directory.name)
        self._devices = []

    def device(self, flash="flash", **options):
        device = Machine(self.directory / str(len(self._devices)), f"{flash.removesuffix('.bin')}.bin", **options)
        self._devices.append(device)
        return device

    def close(self):
        for device in self._devices:
            device.close()
        self._directory.cleanup()


def prepare(package):
    """A flash that holds the package, to be tried at the next boot: what tests of the exchange begin with."""
    path = OUT / f"pending-{package}.bin"
    if path.exists() and path.stat().st_mtime > (OUT / "flash.bin").stat().st_mtime:
        return
    bench = Bench()
    try:
        device = bench.device()
        device.power_on(run=False)
        sender = device.sender(package)
        # The first thing the boot stage does about it is an erase.
        reset = int.from_bytes(device.flash[4:8], "little") & ~1
        power.run_to(device, [reset], 1, lambda: False)
        device.cut_power(halted=True)
        sender.communicate(timeout=30)
        path.write_bytes(device.flash)
    finally:
        bench.close()


def run(item):
    """One test: its name, seconds, failure if it failed, and what it measured."""
    name, test = item
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        seconds, failure = promises.judge(test, Bench())
    return name, seconds, failure, printed.getvalue()


def split(test, _):
    """Lives are many: each job does a part of them."""
    seeds = test.__defaults__[0] if test.__defaults__ else None
    if not seeds:
        return [(test.__name__, test)]
    parts = [seeds[start::4] for start in range(4)]
    return [(f"{test.__name__} ({len(part)} lives)", functools.partial(test, seeds=part)) for part in parts]


def report(results, whole):
    found, failures, figures = {}, [], {}
    for what, number in re.findall(r"measured: (.*): (\d+)", "".join(log for *_, log in results)):
        found.setdefault(what, []).append(int(number))
    print()
    for what, numbers in sorted(found.items()):
        number = sum(numbers) if what.startswith("cuts") else max(numbers)
        most = BUDGETS.get(what)
        print(f"{what:36}{number:12,}" + (f"   at most {most:,}" if most else ""))
        if most and number > most:
            failures.append(f"{what}: {number}, at most {most}")
        figures[what] = number
    if whole:
        resets = figures.get("cuts by system_reset", 0)
        if resets < RESETS:
            failures.append(f"{resets} cuts by system_reset, at least {RESETS}")
        (OUT / "figures.json").write_text(json.dumps(figures))
    return failures


def prepare_all(pool):
    list(pool.map(prepare, PENDING))


if __name__ == "__main__":
    promises.main(__doc__, cases.TESTS, split, run, report, prepare_all)
