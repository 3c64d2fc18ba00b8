"""Runs the tests of the micro:bit example under emulation: ./run.py [-k PART OF A NAME] [--jobs N]

Each test is a promise, in cases.py. Prints a line a test and what was measured; ends with 1 if a promise was not kept or a
budget exceeded."""

import argparse
import concurrent.futures
import contextlib
import functools
import io
import os
import pathlib
import re
import sys
import tempfile
import time

import cases
import power
from machine import OUT, Machine

KIB = 1024
# What is measured: most.
BUDGETS = {
    "RAM of the application": 8 * KIB,
    "RAM of the boot stage": 8 * KIB,
    "RAM of the boot stage with signatures": 12 * KIB,
    "erases of an exchange": 120,
}
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
    started, bench, printed = time.monotonic(), Bench(), io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            test(bench)
        failure = None
    except Exception as error:  # whatever it is, the other tests go on
        failure = f"{type(error).__name__}: {error}"
    finally:
        bench.close()
    return name, time.monotonic() - started, failure, printed.getvalue()


def split(test):
    """Lives are many: each job does a part of them."""
    seeds = test.__defaults__[0] if test.__defaults__ else None
    if not seeds:
        return [(test.__name__, test)]
    parts = [seeds[start::4] for start in range(4)]
    return [(f"{test.__name__} ({len(part)} lives)", functools.partial(test, seeds=part)) for part in parts]


def report(results):
    found, failures = {}, []
    for what, number in re.findall(r"measured: (.*): (\d+)", "".join(log for *_, log in results)):
        found.setdefault(what, []).append(int(number))
    print()
    for what, numbers in sorted(found.items()):
        number = sum(numbers) if what.startswith("cuts") else max(numbers)
        most = BUDGETS.get(what)
        print(f"{what:36}{number:12,}" + (f"   at most {most:,}" if most else ""))
        if most and number > most:
            failures.append(f"{what}: {number}, at most {most}")
    return failures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-k", default="", metavar="PART", help="only tests with this in their name")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    items = [item for test in cases.TESTS if arguments.k in test.__name__ for item in split(test)]
    if not items:
        sys.exit(f"error: no test with {arguments.k!r} in its name")
    results = []
    with concurrent.futures.ProcessPoolExecutor(arguments.jobs) as pool:
        list(pool.map(prepare, PENDING))
        for name, seconds, failure, log in pool.map(run, items):
            results.append((name, seconds, failure, log))
            print(f"{'FAILED' if failure else 'ok':7}{seconds:6.1f} s  {name.replace('_', ' ')}", flush=True)
            if failure:
                print("    " + failure.replace("\n", "\n    "), flush=True)
    failures = [name for name, _, failure, _ in results if failure] + report(results)
    print()
    if failures:
        sys.exit("error: " + "; ".join(failures))
    print(f"all {len(results)} as promised")


if __name__ == "__main__":
    main()
