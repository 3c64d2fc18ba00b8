#!/usr/bin/env python3
"""Writes the tables of docs/mutation.md from what tests/mutation.sh left, and fails if a mutant was missed or not run.

    tests/mutation_report.py                  by target/mutation/{first,mutants.out}/outcomes.json
    tests/mutation_report.py A.json B.json    by several runs, of parts of the files: the later one's verdict counts
    tests/mutation_report.py --check [...]    writes nothing, and fails if the tables are others"""

import collections
import json
import pathlib
import re
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "mutation.md"
CONFIG = ROOT / ".cargo" / "mutants.toml"
OUTCOMES = [ROOT / "target" / "mutation" / run / "outcomes.json" for run in ("first", "mutants.out")]
VERDICTS = {"CaughtMutant": "caught", "Timeout": "timed out", "Unviable": "unviable", "MissedMutant": "missed"}
SKIP = re.compile(r"#\[cfg_attr\(test, mutants::skip\)\](?: // (.*))?\n(?:\s*#.*\n)*.*?fn (\w+)")


def listed(*options):
    """The names of all mutants, by file."""
    command = ["cargo", "mutants", "--list", "--json", "--dir", str(ROOT), *options]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {mutant["name"]: mutant["file"] for mutant in found}


def verdicts(paths):
    """What became of each mutant, and the version of the tool."""
    found, version = {}, None
    for path in paths:
        report = json.loads(pathlib.Path(path).read_text())
        version = report["cargo_mutants_version"]
        for outcome in report["outcomes"]:
            if isinstance(outcome["scenario"], dict):
                found[outcome["scenario"]["Mutant"]["name"]] = VERDICTS[outcome["summary"]]
    return found, version


def exclusions(config):
    """Each pattern of `exclude_re` with the comment in front of it, and the mutants that it leaves out."""
    text, reason, rows = CONFIG.read_text(), [], []
    everything = listed("--no-config", *(f"--file={glob}" for glob in config["examine_globs"]))
    patterns = iter(config["exclude_re"])
    block = re.search(r"^exclude_re = \[\n(.*?)^\]", text, re.S | re.M).group(1)
    fresh = True
    for line in map(str.strip, block.splitlines()):
        if line.startswith("#"):
            reason = (reason if not fresh else []) + [line.lstrip("# ")]
            fresh = False
        elif line:
            fresh, pattern = True, next(patterns)
            count = sum(1 for name in everything if re.search(pattern, name))
            rows.append((pattern, count, " ".join(reason)))
    return rows


def skips(files):
    """Functions that the source leaves out, with the comment behind the attribute."""
    for file in files:
        for reason, function in SKIP.findall((ROOT / file).read_text()):
            yield file, function, reason


def tables(paths):
    config = tomllib.loads(CONFIG.read_text())
    found, version = verdicts(paths)
    counts = collections.defaultdict(collections.Counter)
    bad = []
    for name, file in listed().items():
        verdict = found.get(name, "not run")
        counts[file][verdict] += 1
        if verdict in ("missed", "not run"):
            bad.append(f"{verdict}: {name}")
    columns = ["caught", "timed out", "unviable", "missed"]
    if any(counter["not run"] for counter in counts.values()):
        columns.append("not run")
    out = [f"cargo-mutants {version}.", ""]
    out += ["| file | mutants | " + " | ".join(columns) + " |", "|---|" + "--:|" * (len(columns) + 1)]
    total = sum(counts.values(), collections.Counter())
    for file, counter in [*sorted(counts.items()), ("all", total)]:
        label = f"`{file}`" if file in counts else file
        cells = [label, sum(counter.values()), *(counter[column] for column in columns)]
        out.append("| " + " | ".join(map(str, cells)) + " |")
    out += ["", "Left out:", "", "| what | mutants | why |", "|---|--:|---|"]
    for pattern, count, reason in exclusions(config):
        pattern = pattern.replace("|", r"\|")
        out.append(f"| `{pattern}` | {count} | {reason} |")
    for file, function, reason in skips(sorted(counts)):
        out.append(f"| `{function}` in `{file}`, by an attribute | | {reason[:1].upper() + reason[1:]} |")
    tests = [arg for arg in config["additional_cargo_args"] if not arg.startswith("-")]
    out += ["", "Judged by the library's unit tests and " + ", ".join(f"`{test}`" for test in tests) + "."]
    return "\n".join(out), bad


def main():
    paths = [arg for arg in sys.argv[1:] if not arg.startswith("-")] or OUTCOMES
    text, bad = tables(paths)
    page = PAGE.read_text()
    begin, end = "<!-- tables: written by tests/mutation_report.py -->\n", "\n\n<!-- end of the tables -->"
    head, rest = page.split(begin)
    current = head + begin + text + end + rest.split(end)[1]
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(current)
    elif page != current:
        sys.exit("error: docs/mutation.md is not current: run tests/mutation_report.py")
    if bad:
        sys.exit("\n".join(bad))


main()
