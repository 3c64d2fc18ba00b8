#!/usr/bin/env python3
"""Runs fuzz targets for minutes of processor time each, and puts what they reached into the table of README.md.

    fuzz/long.py                         every target, until it has had 30 minutes in all
    fuzz/long.py --minutes 5 boot        one of them, until it has had 5
    fuzz/long.py --afresh boot           one of them for 30, whatever it has had

What a run has reached is recorded every few minutes, and the next one goes on from there. A corpus is kept in fuzz/corpus. A target
that finds something ends the run, with exit status 1.
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


def run(target, seconds, so_far):
    """Runs `target` until it has had `seconds` of processor time, those `so_far` among them; records each chunk."""
    corpus = FUZZ / "corpus" / target
    corpus.mkdir(parents=True, exist_ok=True)
    used, executions, edges = so_far
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
        record(target, used, executions, edges)
        if sys.stderr.isatty():
            print(f"\r{target}: {used / 60:.1f} of {seconds / 60:.0f} min, {executions:,} executions, {edges:,} edges ",
                  end="", file=sys.stderr, flush=True)
    print(f"{target}: {used / 60:.1f} min of processor time, {executions:,} executions, {edges:,} edges")


def recorded(target):
    """Seconds, executions and edges of the target's row; zeros if it has none."""
    found = re.search(rf"^\| `{target}` \| ([\d.]+) min \| ([\d,]+) \| ([\d,]+) \|$", README.read_text(), re.M)
    if not found:
        return 0.0, 0, 0
    return float(found[1]) * 60, int(found[2].replace(",", "")), int(found[3].replace(",", ""))


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
    parser.add_argument("--minutes", type=float, default=30, help="of processor time in all, for each target (default 30)")
    parser.add_argument("--afresh", action="store_true", help="forget what is recorded")
    options = parser.parse_args()
    known = cargo_fuzz("list", stdout=subprocess.PIPE).stdout.split()
    for target in options.targets:
        if target not in known:
            parser.error(f"no target '{target}'; there are {', '.join(known)}")
    cargo_fuzz("build", "-s", "none")
    for target in options.targets or known:
        run(target, options.minutes * 60, (0.0, 0, 0) if options.afresh else recorded(target))


if __name__ == "__main__":
    main()
