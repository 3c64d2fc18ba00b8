"""Where a program's instructions go, or its bytes.

    where.py run COUNTS < LOG         counts the instructions in QEMU's log (`-d exec,nochain,in_asm`); prints their addresses
    where.py sizes COUNTS < CODE      takes the bytes of each instruction of a disassembly; prints their addresses
    where.py judge COUNTS < FRAMES    what `addr2line -a -i -f -C` says of these addresses, as a table

An instruction belongs to the innermost inlined function that is not core's, as in panics.py; memcpy and its kin, which have
no other, to themselves. A log holds all that was run: start-up ("Reset" paints the stack), making the flash blank, and the
rig are in it.
"""

import collections
import json
import re
import sys

from panics import frames_by_address, owner

LINES = 45
# Of a disassembly: an instruction, or a constant among them.
CODE = re.compile(r"^\s*([0-9a-f]+):\t")


def run(log):
    """How often each instruction was run: blocks are logged as they are translated, then by their first address."""
    block, blocks, runs = None, {}, collections.Counter()
    for line in log:
        if line.startswith("Trace"):
            runs[line.split("/", 2)[1]] += 1
        elif line.startswith("0x"):
            if block is None:
                block = blocks[line[2:10]] = []
            block.append(line[2:10])
        else:
            block = None
    counts = collections.Counter()
    for start, times in runs.items():
        for address in blocks.get(start, ()):
            counts[address] += times
    return counts


def sizes(code):
    """Bytes of each instruction: it ends where the next begins, and has four at most."""
    addresses = [int(match[1], 16) for match in map(CODE.match, code) if match]
    return {f"{here:08x}": min(after - here, 4) for here, after in zip(addresses, addresses[1:])}


def judge(counts, lines):
    frames = frames_by_address(lines)
    crates, files, functions = collections.Counter(), collections.Counter(), collections.Counter()
    for address, count in counts.items():
        inlined = frames.get(int(address, 16), [])
        crate, function, place = owner(inlined) or ("core", inlined[-1][0] if inlined else "?", "")
        crates[crate] += count
        functions[f"{crate}: {short(function)}"] += count
        if crate == "lockgate":
            files[place.split(":")[0]] += count
    for table in (crates, files, functions):
        for name, count in table.most_common(LINES):
            print(f"{count:12,}  {name}")
        print()


def short(function):
    """Without generic parameters, which make one function many."""
    kept, depth, outer = [], 0, function.startswith("<")
    for char in function.replace("->", ""):
        depth += char == "<"
        if depth <= outer:
            kept.append(char)
        depth -= char == ">"
    return "".join(kept)


def main():
    match sys.argv[1:]:
        case ["run" | "sizes" as what, path]:
            counts = (run if what == "run" else sizes)(sys.stdin)
            with open(path, "w") as file:
                json.dump(counts, file)
            print(*counts, sep="\n")
        case ["judge", path]:
            with open(path) as file:
                judge(json.load(file), sys.stdin)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
