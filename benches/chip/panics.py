"""Who may panic: finds the calls into core's panics in a disassembly, and says whose code makes them.

    panics.py calls < CODE           each branch to another function: address, function it is in, function it goes to
    panics.py judge CALLS < FRAMES   what `addr2line -a -i -f -C` says of these addresses

Inlining blurs whose a call is: `slice[i]` of lockgate lies in a function of the program's, and its innermost inlined frame
is core's. So the frames of a call's address are walked from the innermost outwards, and the first whose source is not
core's owns it. A function that is core's alone (an `Option::filter` that was not inlined) passes the question on to
whoever calls it.
"""

import collections
import pathlib
import re
import sys

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
CORE = re.compile(r"/library/(core|compiler-builtins|alloc)/|^/rustc/")
# The doors to `panic_fmt`: panicking::*, unwrap_failed, slice_index_fail, len_mismatch_fail, ...
PANIC = re.compile(r"^core::.*(panic|_fail)")
SYMBOL = re.compile(r"^[0-9a-f]+ <(.+)>:$")
BRANCH = re.compile(r"^\s*([0-9a-f]+):\s+(?:b|bl|b[a-z]{2})(?:\.[nw])?\s+[0-9a-f]+ <(.+)>")


def calls(code):
    inside = None
    for line in code:
        if symbol := SYMBOL.match(line):
            inside = symbol[1]
        elif (branch := BRANCH.match(line)) and not re.search(r"\+0x[0-9a-f]+$", branch[2]) and branch[2] != inside:
            yield f"0x{branch[1]}\t{inside}\t{branch[2]}"


def frames_by_address(lines):
    """Address: its frames, (function, file:line), the innermost first."""
    frames, rest = {}, None
    for line in (text.rstrip("\n") for text in lines):
        if re.fullmatch(r"0x[0-9a-f]+", line):
            rest = frames.setdefault(int(line, 16), [])
        elif rest is not None and rest and len(rest[-1]) == 1:
            rest[-1] = (rest[-1][0], line.split(" (")[0])
        elif rest is not None:
            rest.append((line,))
    return frames


def owner(frames):
    """Crate, function and place of the first frame that is not core's."""
    for function, place in frames:
        file = pathlib.PurePath(place)
        if CORE.search(place):
            continue
        if place.startswith("??"):
            return "no source", function, place
        if REPOSITORY in file.parents:
            inside = file.relative_to(REPOSITORY)
            return ("lockgate" if inside.parts[0] == "src" else "this bench"), function, str(inside)
        if crate := re.search(r"/registry/src/[^/]+/([^/]+)/", place):
            return crate[1], function, file.name
        return "no source", function, place
    return None


def judge(table, lines):
    frames = frames_by_address(lines)
    sites = [line.rstrip("\n").split("\t") for line in table]
    panicking, found = {to for *_, to in sites if PANIC.match(to)}, {}
    if not frames or not panicking:
        sys.exit("error: no call with a source: was the program built with debug information?")
    while True:
        more = set()
        for address, inside, to in sites:
            if to not in panicking or PANIC.match(inside):
                continue
            whose = owner(frames.get(int(address, 16), []))
            if whose is None:
                more.add(inside)
            else:
                found[address] = (*whose, to)
        if more <= panicking:
            break
        panicking |= more

    count = collections.Counter(crate for crate, *_ in found.values())
    for crate, function, place, to in sorted(set(found.values())):
        print(f"{crate}: {function} ({place}) -> {to}")
    print(", ".join(f"{crate} {calls}" for crate, calls in sorted(count.items())) or "no calls that may panic")
    # A call that is nobody's might be lockgate's.
    if own := count["lockgate"] + count["no source"]:
        sys.exit(f"error: {own} calls of lockgate's own code may panic")
    print("lockgate's own code cannot panic")


def main():
    match sys.argv[1:]:
        case ["calls"]:
            print(*calls(sys.stdin), sep="\n")
        case ["judge", table]:
            with open(table) as file:
                judge(file.readlines(), sys.stdin)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
