"""The self-test's table: what each target's program said, and how large it is.

usage: table.py DIRECTORY [NAME...]       prints it; ends with 1 if a program failed
       table.py DIRECTORY --into FILE     puts it between the marks of a Markdown file
"""

import pathlib
import re
import struct
import sys

TARGETS = {
    "m0": ("Cortex-M0", "microbit"),
    "m3": ("Cortex-M3", "mps2-an385"),
    "m4": ("Cortex-M4", "mps2-an386"),
    "m33": ("Cortex-M33", "mps2-an505"),
    "riscv": ("RISC-V rv32imc", "virt"),
    "mips": ("MIPS32", "malta"),
    "lx106": ("Xtensa LX106", "kc705-nommu"),
}
PROMISES = 30  # as the test in src/lib.rs has it
BEGIN, END = "<!-- selftest: by examples/selftest/run.sh figures -->", "<!-- end -->"


def sections(elf):
    """Name, type, flags and size of each section of a 32-bit little-endian ELF file."""
    (offset,), (size, count, names) = struct.unpack_from("<I", elf, 32), struct.unpack_from("<3H", elf, 46)
    headers = [struct.unpack_from("<6I", elf, offset + index * size) for index in range(count)]
    table = headers[names][4]
    for name, kind, flags, _, _, length in headers:
        end = elf.index(b"\0", table + name)
        yield elf[table + name : end].decode(), kind, flags, length


def measure(directory, name):
    """Verdict, flash, RAM, stack, instructions; packages and images of the test are not counted as flash."""
    said = (directory / f"{name}.log").read_text(errors="replace")
    kept = len(re.findall(r"^ok ", said, re.M))
    passed = bool(re.search(r"^PASS$", said, re.M)) and said.endswith("exit status 0\n") and kept == PROMISES
    number = {key: int(value) for key, value in re.findall(r"^(stack|instructions) (\d+)", said, re.M)}
    allocated = [s for s in sections((directory / f"{name}.elf").read_bytes()) if s[2] & 2]
    test_data = sum(path.stat().st_size for path in (directory / "packages").iterdir() if path.suffix in (".lgu", ".bin"))
    ram = sum(length for section, kind, _, length in allocated if section in (".data", ".bss", ".uninit"))
    flash = sum(length for section, kind, _, length in allocated if kind != 8 and section not in (".data", ".bss")) - test_data
    if name == "lx106":  # loads bytes from RAM only: constants are there, too
        ram += sum(length for section, _, _, length in allocated if section == ".rodata") - test_data
    return passed, flash, ram, number.get("stack", 0), number.get("instructions", 0), kept


def rows(directory, names):
    for name in names:
        passed, flash, ram, stack, instructions, kept = measure(directory, name)
        core, board = TARGETS[name]
        yield core, board, f"{'pass' if passed else 'FAIL'}, {kept} of {PROMISES}", flash, ram, stack, instructions
        if name == "m4":
            yield "Renesas Synergy S5", "none: the Cortex-M4's row", "the M4's", flash, ram, stack, instructions


HEAD = ("core", "QEMU's board", "verdict", "flash", "RAM", "stack", "instructions")


def markdown(table):
    yield "| " + " | ".join(HEAD) + " |"
    yield "|---|---|---|--:|--:|--:|--:|"
    for row in table:
        yield "| " + " | ".join(f"{cell:,}" if isinstance(cell, int) else cell for cell in row) + " |"


def console(table):
    line = "{:<20} {:<26} {:<15} {:>8} {:>7} {:>7} {:>15}"
    yield line.format(*HEAD)
    for row in table:
        yield line.format(*(f"{cell:,}" if isinstance(cell, int) else cell for cell in row))


def main(directory, *arguments):
    directory = pathlib.Path(directory)
    if arguments[:1] == ("--into",):
        page = pathlib.Path(arguments[1])
        before, _, rest = page.read_text().partition(BEGIN)
        _, end, after = rest.partition(END)
        if not end:
            sys.exit(f"error: {page} has no place for the table ('{BEGIN}' to '{END}')")
        page.write_text(before + BEGIN + "\n" + "\n".join(markdown(rows(directory, TARGETS))) + "\n" + END + after)
        return 0
    names = arguments or tuple(TARGETS)
    print("\n".join(console(rows(directory, names))))
    failed = [name for name in names if not measure(directory, name)[0]]
    for name in failed:
        print(f"\n{name}:\n{(directory / f'{name}.log').read_text(errors='replace')}", file=sys.stderr)
    return f"error: failed: {', '.join(failed)}" if failed else 0


sys.exit(main(*sys.argv[1:]))
