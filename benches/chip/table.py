"""Makes figures of what run.sh measured.

    table.py results DIRECTORY   prints the table, writes it between the markers of ../RESULTS.md, and results.json
    table.py check DIRECTORY     fails if a figure is more than 3 % worse than in budgets.json
    table.py budgets DIRECTORY   writes budgets.json
"""

import json
import os
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
IMAGE = 256 * 1024
# A SysTick tick of 25 MHz, at 1 ns an instruction.
TICK = 40
TOLERANCE = 0.03
# What is lockgate's: held to the budgets.
BUDGETED = ("sha256", "verify", "verify-asm", "install", "install-twice", "install-next", "install-asm", "stub")
BEGIN, END = "<!-- figures: written by chip/run.sh -->", "<!-- end of figures -->"

CORES = {
    "m4": "Cortex-M4",
    "m4-large": "Cortex-M4, blocks of 4 KiB",
    "m4-fast": "Cortex-M4, SHA-256 at 3",
    "m4-fast-large": "Cortex-M4, SHA-256 at 3, blocks of 4 KiB",
    "m0": "Cortex-M0 code",
    "m0-large": "Cortex-M0 code, blocks of 4 KiB",
}
# Where the parts of an install are measured alone: SHA-256, and the rest.
PARTS = {name: (name.removesuffix("-large"), name.removesuffix("-large").removesuffix("-fast")) for name in CORES}
NAMES = {
    "copy": "flash in RAM alone",
    "sha256": "SHA-256 alone",
    "verify": "P-256 alone",
    "verify-asm": "P-256 alone, assembly",
    "install": "**install**",
    "install-twice": "install, hashed twice (default)",
    "install-next": "install, and `try_next`",
    "install-asm": "**install**, assembly",
    "embassy": "embassy-boot 0.7 + salty",
}
# Millions of instructions, KiB net, KiB of stack (which the machine lies on), own instructions per byte.
TARGETS = {
    f"{core}{blocks}/{program}": target
    for blocks in ("", "-large")
    for core, program, target in (
        ("m4", "install", (25, 25, 5, 6)),
        ("m4-fast", "install", (21.5, 31, 5, 6)),
        ("m4", "install-asm", (16, 17, 3.5, 6)),
        ("m4-fast", "install-asm", (12.5, 22, 3.5, 6)),
        ("m0", "install", (80, None, None, 6)),
    )
}
UNITS = (10**6, 1024, 1024, 1)
UNIT_NAMES = (" M", " KiB", " KiB stack", " own")
OWN_CODE, HOST_RATIO = 6 * 1024, 0.85
# Measured before this bench was, by other programs: instructions, net bytes, stack.
ANCHORS = {
    "m4/sha256": "12.7 M, 3.3 KB",
    "m4-fast/sha256": "9.4 M, 8.1 KB",
    "m4/verify": "9.58 M, 15.9 KB, 3.9 KB",
    "m4/verify-asm": "0.68 M, 7.4 KB, 2.3 KB",
    "m0/verify": "49.8 M",
    "m4-fast/install-asm": "least a single pass can cost: 10.7 M, 16,439, 2,456",
    "m4/embassy": "52.4 M, 11,351, 4,004",
    "m0/embassy": "270 M, 12,371, 12,924",
}


def measured(directory):
    """Figures by core and program."""
    figures = {}
    for core in CORES:
        # SHA-256 is in neither of them: one of each will do for all.
        _, base = PARTS[core]
        empty = raw(directory / base / "empty")
        for sizes in sorted((directory / core).glob("*.sizes")):
            program = sizes.stem
            one = raw(sizes.with_suffix(""))
            figure = {"bytes": one["bytes"] - empty["bytes"], "ram": one["ram"] - empty["ram"]}
            if "ticks" in one:
                figure["instructions"] = (one["ticks"] - empty["ticks"]) * TICK
                figure["stack"] = one["stack"]
            figures[f"{core}/{program}"] = figure
    if (count := figures["m4/loop"]["instructions"]) != 2_000_000:
        sys.exit(f"error: a loop of 2,000,000 instructions is counted as {count}")
    for name in [name for name in figures if "/install" in name]:
        core, program = name.split("/")
        hashing, base = PARTS[core]
        check = "verify-asm" if program == "install-asm" else "verify"
        parts = [figures[f"{hashing}/sha256"]] * (2 if program == "install-twice" else 1)
        parts += [figures[f"{base}/{check}"], figures[f"{base}/copy"]]
        own = figures[name]["instructions"] - sum(part["instructions"] for part in parts)
        figures[name]["own_per_byte"] = round(own / IMAGE, 2)
    # Without cryptography, and without the flash in RAM and the copying of bytes.
    figures["m4/stub"]["bytes"] -= figures["m4/copy"]["bytes"]
    return figures


def raw(elf):
    sizes = dict(re.findall(r"^(\.\S+)\s+(\d+)", elf.with_name(elf.name + ".sizes").read_text(), re.M))
    symbols = elf.with_name(elf.name + ".symbols").read_text()
    cells = sum(int(size, 16) for size in re.findall(r"^\S+ (\S+) \S .*CELLS", symbols, re.M))
    total = lambda *names: sum(int(sizes.get(name, 0)) for name in names)
    said = elf.with_name(elf.name + ".said")
    figures = re.findall(r"^(\w+)=([0-9a-f]{8})$", said.read_text(), re.M) if said.exists() else []
    return {
        "bytes": total(".text", ".rodata", ".data"),
        "ram": total(".data", ".bss", ".uninit") - cells,
        **{name: int(value, 16) for name, value in figures},
    }


def versions(directory):
    compiler, qemu = (directory / "compiler").read_text().split("\n")[:2]
    lock = (HERE / "Cargo.lock").read_text()
    found = dict(re.findall(r'name = "([^"]+)"\nversion = "([^"]+)"', lock))
    names = ("lockgate", "p256", "sha2", "p256-cortex-m4", "embassy-boot", "salty")
    return {"rustc": compiler, "qemu": qemu, "crates": {name: found[name] for name in names}}


def host():
    """What ../throughput.rs found, if it was run."""
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", HERE.parents[1] / "target"))
    try:
        ratio, net, sha = (target / "tmp/throughput").read_text().split()
    except FileNotFoundError:
        return None
    return {"ratio": float(ratio), "ratio_without_flash": float(net), "sha256_in": sha}


def over(value, target):
    """By how much a figure misses its target."""
    return f" (+{(value / target - 1) * 100:.0f} %)" if target and value > target else ""


def table(figures, on_host):
    rows = ["| core | what | instructions | net bytes | peak stack | static RAM | own work per byte | target | anchor |",
            "|---|---|---|---|---|---|---|---|---|"]
    for core, core_name in CORES.items():
        for program, name in NAMES.items():
            key = f"{core}/{program}"
            if key not in figures:
                continue
            figure, targets = figures[key], TARGETS.get(key, (None,) * 4)
            now = [figure.get(what) for what in ("instructions", "bytes", "stack", "own_per_byte")]
            cells = ["" if value is None else f"{value:,}" + over(value, target and target * unit)
                     for value, target, unit in zip(now, targets, UNITS)]
            goal = ", ".join(f"{target:g}{unit}" for target, unit in zip(targets, UNIT_NAMES) if target)
            row = (core_name, name, *cells[:3], f"{figure['ram']:,}", cells[3], goal, ANCHORS.get(key, ""))
            rows.append("| " + " | ".join(row) + " |")
    own = figures["m4/stub"]["bytes"]
    rows += ["", f"Code without cryptography, Cortex-M4: {own:,} bytes{over(own, OWN_CODE)}; target 6 KiB."]
    if on_host is not None:
        rows.append(f"Host, 16 MiB in blocks of 4 KiB, SHA-256 in {on_host['sha256_in']}: {on_host['ratio']} of the speed of "
                    f"plain SHA-256, {on_host['ratio_without_flash']} without what the flash in memory costs; target {HOST_RATIO}.")
    return rows


def write_results(figures, of, on_host):
    rows = table(figures, on_host)
    rows += ["", f"{of['rustc']}; {of['qemu']}; " + ", ".join(f"{k} {v}" for k, v in of["crates"].items()) + "."]
    print("\n".join(rows))
    page = HERE.parent / "RESULTS.md"
    before, rest = page.read_text().split(BEGIN)
    page.write_text(before + BEGIN + "\n" + "\n".join(rows) + "\n" + END + rest.split(END)[1])
    save("results.json", {"versions": of, "host": on_host, "figures": figures})


def save(name, value):
    (HERE / name).write_text(json.dumps(value, indent=2, sort_keys=True) + "\n")


def check(figures, of):
    budgets = json.loads((HERE / "budgets.json").read_text())
    if budgets["versions"] != of:
        print("note: the budgets were measured with other versions; what differs may come of that")
    worse = []
    for name, budget in budgets["figures"].items():
        for what, most in budget.items():
            now = figures.get(name, {}).get(what)
            if now is None or now > most * (1 + TOLERANCE):
                worse.append(f"over budget: {name}, {what}: {now}, the budget is {most}")
    print(*worse, sep="\n", end="\n" if worse else "")
    if worse:
        sys.exit(1)
    print(f"ok: {sum(map(len, budgets['figures'].values()))} figures, none more than 3 % over its budget")


def main():
    what, directory = sys.argv[1], pathlib.Path(sys.argv[2])
    figures, of = measured(directory), versions(directory)
    if what == "results":
        write_results(figures, of, host())
    elif what == "check":
        check(figures, of)
    elif what == "budgets":
        budgeted = {name: figure for name, figure in figures.items() if name.split("/")[1] in BUDGETED}
        save("budgets.json", {"versions": of, "figures": budgeted})


main()
