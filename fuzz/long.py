#!/usr/bin/env python3
"""Runs fuzz targets for minutes of processor time each, and puts what they reached into the table of README.md.

    fuzz/long.py                         every target for 30 minutes
    fuzz/long.py --minutes 5 boot        one of them for 5

A corpus is kept in fuzz/corpus and grows from run to run. A target that finds something ends the run, with exit status 1.
"""
import argparse
import re
import resource
import subprocess
import sys
from pathlib import Path

FUZZ = Path(__file__).resolve().parent
README = FUZZ / "README.md"
CHUNK = 240  # seconds of a run before processor time is looked at


def cargo_fuzz(*arguments, **options):
    return subprocess.run(["cargo", "+nightly", "fuzz", *arguments], cwd=FUZZ.parent, check=True, text=True, **options)


def processor_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(target, seconds):
    """Seconds of processor time, executions and edges of `target`, run until it has had `seconds`."""
    corpus = FUZZ / "corpus" / target
    corpus.mkdir(parents=True, exist_ok=True)
    used, executions, edges = 0.0, 0, 0
    while used < seconds:
        before = processor_seconds()
        wanted = max(5, min(CHUNK, int(seconds - used) + 1))
        done = subprocess.run(
            ["cargo", "+nightly", "fuzz", "run", "-s", "none", target, str(corpus), str(FUZZ / "seeds" / target), "--",
             f"-max_total_time={wanted}", "-max_len=4096", "-print_final_stats=1"],
            cwd=FUZZ.parent, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            sys.exit(f"{target}: found something, or did not run:\n{done.stderr[-4000:]}")
        used += processor_seconds() - before
        executions += int(re.search(r"number_of_executed_units: (\d+)", done.stderr)[1])
        edges = max([edges, *map(int, re.findall(r"cov: (\d+)", done.stderr))])
        if sys.stderr.isatty():
            print(f"\r{target}: {used / 60:.1f} of {seconds / 60:.0f} min, {executions:,} executions, {edges:,} edges ",
                  end="", file=sys.stderr, flush=True)
    return used, executions, edges


def record(target, used, executions, edges):
    """Puts the row of `target` into the table, in the order of the targets."""
    row = f"| `{target}` | {used / 60:.1f} min | {executions:,} | {edges:,} |"
    text = README.read_text()
    start, end = text.index("<!-- runs -->\n") + len("<!-- runs -->\n"), text.index("<!-- /runs -->")
    head, rows = text[start:end].splitlines()[:2], text[start:end].splitlines()[2:]
    rows = sorted([old for old in rows if not old.startswith(f"| `{target}` |")] + [row])
    README.write_text(text[:start] + "\n".join(head + rows) + "\n" + text[end:])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    parser.add_argument("--minutes", type=float, default=30, help="of processor time, for each target (default 30)")
    options = parser.parse_args()
    known = cargo_fuzz("list", stdout=subprocess.PIPE).stdout.split()
    for target in options.targets:
        if target not in known:
            parser.error(f"no target '{target}'; there are {', '.join(known)}")
    cargo_fuzz("build", "-s", "none")
    for target in options.targets or known:
        result = run(target, options.minutes * 60)
        record(target, *result)
        print(f"{target}: {result[0] / 60:.1f} min of processor time, {result[1]:,} executions, {result[2]:,} edges")


if __name__ == "__main__":
    main()
