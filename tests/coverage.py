#!/usr/bin/env python3
"""Which lines of the device's side tests and fuzzing reach together; writes the tables of docs/coverage.md.

    tests/coverage.py                  builds, runs all tests of the library, replays seeds and corpora, writes
    tests/coverage.py --tests          the tests alone, and prints
    tests/coverage.py --fuzz           the fuzz targets alone, beside what the tests left; writes
    tests/coverage.py --report         runs nothing; writes

Asks for a nightly compiler with the component llvm-tools, and for cargo-fuzz. A corpus is what fuzz/long.py leaves in fuzz/corpus."""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "coverage.md"
TARGET = ROOT / "target" / "coverage"
PROFILES = TARGET / "profiles"
KINDS = ("tests", "fuzz")
HOST_SIDE = ("src/pack/", "src/sim/")
SKIPPED_TESTS = ("receipts",)  # they run the compiler, and nothing of the library


def tool(name):
    """The compiler's own copy of an LLVM tool: others do not read its profiles."""
    root = subprocess.run(["rustc", "+nightly", "--print", "sysroot"], check=True, capture_output=True, text=True).stdout
    found = list(pathlib.Path(root.strip()).glob(f"lib/rustlib/*/bin/{name}"))
    return str(found[0]) if found else sys.exit(f"error: no {name}: rustup component add llvm-tools --toolchain nightly")


def environment(kind):
    return os.environ | {
        "RUSTFLAGS": "-Cinstrument-coverage",
        "CARGO_TARGET_DIR": str(TARGET / kind),
        "LLVM_PROFILE_FILE": str(PROFILES / f"{kind}-%m_%p.profraw"),
    }


def afresh(kind, programs):
    """Forgets what earlier programs of this kind have reached."""
    PROFILES.mkdir(parents=True, exist_ok=True)
    for profile in PROFILES.glob(f"{kind}-*.profraw"):
        profile.unlink()
    (TARGET / f"{kind}.json").write_text(json.dumps(programs))


def run_tests():
    """Runs the library's tests."""
    command = ["cargo", "+nightly", "test", "-p", "lockgate", "--lib", "--tests"]
    listed = subprocess.run([*command, "--no-run", "--message-format=json"], cwd=ROOT, env=environment("tests"), check=True,
                            stdout=subprocess.PIPE, text=True).stdout
    programs = []
    for message in map(json.loads, listed.splitlines()):
        if message.get("executable") and message["target"]["name"] not in SKIPPED_TESTS and message["profile"]["test"]:
            programs.append(message["executable"])
    afresh("tests", programs)
    for program in programs:
        subprocess.run([program, "--quiet"], cwd=ROOT, env=environment("tests"), check=True, stdout=subprocess.DEVNULL)


def replay():
    """Runs each fuzz target once over its seeds and its corpus."""
    subprocess.run(["cargo", "+nightly", "fuzz", "build", "-s", "none"], cwd=ROOT, env=environment("fuzz"), check=True)
    listed = subprocess.run(["cargo", "+nightly", "fuzz", "list"], cwd=ROOT, check=True, capture_output=True, text=True)
    programs = {target: str(next((TARGET / "fuzz").glob(f"*/release/{target}"))) for target in listed.stdout.split()}
    afresh("fuzz", list(programs.values()))
    for target, program in programs.items():
        inputs = [path for kind in ("seeds", "corpus") if (path := ROOT / "fuzz" / kind / target).is_dir()]
        subprocess.run([program, "-runs=0", *inputs], cwd=ROOT, env=environment("fuzz"), check=True,
                       stderr=subprocess.DEVNULL)


def counts(kinds):
    """How often each line of the device's side was run by programs of these kinds, by file."""
    profile = TARGET / "all.profdata"
    programs = [program for kind in kinds for program in json.loads((TARGET / f"{kind}.json").read_text())]
    profiles = [profile for kind in kinds for profile in PROFILES.glob(f"{kind}-*.profraw")]
    subprocess.run([tool("llvm-profdata"), "merge", "-sparse", *profiles, "-o", profile], check=True)
    objects = [word for program in programs[1:] for word in ("-object", program)]
    exported = subprocess.run(
        [tool("llvm-cov"), "export", "-format=lcov", f"-instr-profile={profile}", programs[0], *objects],
        check=True, stdout=subprocess.PIPE, text=True).stdout
    found, lines = {}, None
    for entry in exported.splitlines():
        if entry.startswith("SF:"):
            path = pathlib.Path(entry[3:]).resolve()
            name = str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else ""
            device_side = name.startswith("src/") and not name.startswith(HOST_SIDE)
            lines = found.setdefault(name, {}) if device_side else None
        elif entry.startswith("DA:") and lines is not None:
            line, count = map(int, entry[3:].split(",")[:2])
            lines[line] = lines.get(line, 0) + count
    return {name: without_tests(name, lines) for name, lines in sorted(found.items()) if lines}


def without_tests(name, lines):
    """Unit tests are no code of a device."""
    text = (ROOT / name).read_text()
    start = re.search(r"^#\[cfg\(test\)\]\n(#\[.*\n)*mod ", text, re.M)
    last = text[: start.start()].count("\n") if start else len(text)
    return {line: count for line, count in lines.items() if line <= last}


def pieces(numbers):
    """Runs of neighbouring lines."""
    found = []
    for number in numbers:
        if found and number == found[-1][-1] + 1:
            found[-1].append(number)
        else:
            found.append([number])
    return found


def tables(found):
    rows = ["| file | lines | reached | |", "|---|--:|--:|--:|"]
    for name, lines in found.items():
        reached = sum(1 for count in lines.values() if count)
        rows.append(f"| `{name}` | {len(lines)} | {reached} | {100 * reached / len(lines):.1f} % |")
    every = [count for lines in found.values() for count in lines.values()]
    reached = sum(1 for count in every if count)
    rows.append(f"| all | {len(every)} | {reached} | {100 * reached / len(every):.1f} % |")
    missed = ["Not reached:", "", "| where | what |", "|---|---|"]
    for name, lines in found.items():
        text = (ROOT / name).read_text().splitlines()
        for piece in pieces(sorted(line for line, count in lines.items() if not count)):
            where = f"{piece[0]}" if len(piece) == 1 else f"{piece[0]}-{piece[-1]}"
            code = " ".join(text[line - 1].strip() for line in piece)
            code = code.replace("|", "\\|").replace("`", "'")
            missed.append(f"| `{name}:{where}` | `{code[:117] + '...' if len(code) > 120 else code}` |")
    return "\n".join([*rows, "", *missed])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--tests", action="store_true", help="the tests alone; writes nothing")
    which.add_argument("--fuzz", action="store_true", help="the fuzz targets alone; the tests' lines are those of the last run")
    which.add_argument("--report", action="store_true", help="run nothing")
    options = parser.parse_args()
    if not (options.fuzz or options.report):
        run_tests()
    if not (options.tests or options.report):
        replay()
    written = tables(counts(KINDS[:1] if options.tests else KINDS))
    if options.tests:
        print(written)
        return
    page = PAGE.read_text()
    start, end = page.index("<!-- tables"), page.index("<!-- end of the tables -->")
    PAGE.write_text(page[: page.index("\n", start) + 1] + written + "\n\n" + page[end:])
    print(re.search(r"^\| all .*$", written, re.M)[0])


if __name__ == "__main__":
    main()
