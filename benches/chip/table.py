"""Makes figures of what run.sh measured.

    table.py results DIRECTORY   prints the tables, writes them between the markers of ../RESULTS.md, a few of their rows between
                                 those of ../../README.md, and results.json
    table.py check DIRECTORY     fails if a figure is more than 3 % worse than in budgets.json
    table.py budgets DIRECTORY   writes budgets.json
"""

import itertools
import json
import os
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
IMAGE = 256 * 1024
# Instructions in a tick, at 1 ns each: SysTick has 25 MHz, the LX106's board 40 MHz.
TICKS = {"m4": 40, "m0": 40, "lx106": 25}
TOLERANCE = 0.03
# What is lockgate's: held to the budgets.
BUDGETED = ("sha256", "verify", "verify-asm", "install", "install-twice", "install-next", "install-asm",
            "install-heatshrink", "install-delta", "install-rotate", "stub")
BEGIN, END = "<!-- figures: written by {} -->", "<!-- end of figures -->"

CORES = {
    "m4": "Cortex-M4",
    "m4-large": "Cortex-M4, blocks of 4 KiB",
    "m4-fast": "Cortex-M4, SHA-256 at 3",
    "m4-fast-large": "Cortex-M4, SHA-256 at 3, blocks of 4 KiB",
    "m0": "Cortex-M0 code",
    "m0-large": "Cortex-M0 code, blocks of 4 KiB",
    "lx106": "LX106",
    "lx106-large": "LX106, blocks of 4 KiB",
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
    "install-heatshrink": "install, heatshrink W8/L4",
    "install-delta": "install, delta heatshrink W8/L7",
    "install-rotate": "install, keys that change",
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
OWN_CODE, HOST_RATIO = {"m4": 6 * 1024, "lx106": None}, 0.85
# What a decoder may add to an install: bytes of code, bytes of RAM. By the name of what it decodes.
DECODER = (3 * 1024, 1024)
DECODED = {"install-heatshrink": "HEATSHRINK", "install-delta": "DELTA"}
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
    "lx106/verify": "56 M",
}
# README.md's rows, and what they are called there.
CHOSEN = {
    "m4/install": ("Cortex-M4", "lockgate, all Rust, all for size"),
    "m4-fast/install": ("Cortex-M4", "lockgate, all Rust, SHA-256 for speed"),
    "m4/install-asm": ("Cortex-M4", "lockgate, P-256 in assembly, the rest for size"),
    "m4-fast/install-asm": ("Cortex-M4", "lockgate, P-256 in assembly, SHA-256 for speed"),
    "m4/embassy": ("Cortex-M4", "embassy-boot 0.7 + salty"),
    "m0/install": ("Cortex-M0 code", "lockgate, all Rust, all for size"),
    "m0/embassy": ("Cortex-M0 code", "embassy-boot 0.7 + salty"),
    "lx106/install": ("LX106", "lockgate, all Rust, all for size"),
    "lx106/embassy": ("LX106", "embassy-boot 0.7 + salty"),
}


def measured(directory):
    """Figures by core and program."""
    figures, packages = {}, {}
    for core in CORES:
        # SHA-256 is in neither of them: one of each will do for all.
        _, base = PARTS[core]
        empty = raw(directory / base / "empty", base)
        for sizes in sorted((directory / core).glob("*.sizes")):
            key = f"{core}/{sizes.stem}"
            one = raw(sizes.with_suffix(""), base)
            figure = {"bytes": one["bytes"] - empty["bytes"], "ram": one["ram"] - empty["ram"]}
            if "ticks" in one:
                figure["instructions"] = (one["ticks"] - empty["ticks"]) * TICKS[base]
                figure["stack"] = one["stack"]
            figures[key], packages[key] = figure, one["package"]
    for core in CORES:
        if (loop := figures.get(f"{core}/loop")) and abs(loop["instructions"] - 2_000_000) > TICKS[core]:
            sys.exit(f"error: {core}: a loop of 2,000,000 instructions is counted as {loop['instructions']:,}")
    for name in [name for name in figures if "/install" in name]:
        core, program = name.split("/")
        hashing, base = PARTS[core]
        hashed = 2 if program == "install-twice" else 1
        if program in DECODED:
            hashed = packages[name] / IMAGE
            figures[name]["package"] = packages[name]
        check = figures[f"{base}/{'verify-asm' if program == 'install-asm' else 'verify'}"]
        own = figures[name]["instructions"] - figures[f"{hashing}/sha256"]["instructions"] * hashed
        own -= check["instructions"] + figures[f"{base}/copy"]["instructions"]
        figures[name]["own_per_byte"] = round(own / IMAGE, 2)
        if program in DECODED:
            for what in ("bytes", "ram"):
                figures[name]["decoder_" + what] = figures[name][what] - figures[f"{core}/install"][what]
    for core in OWN_CODE:
        # Without cryptography, and without the flash in RAM and the copying of bytes.
        figures[f"{core}/stub"]["bytes"] -= figures[f"{core}/copy"]["bytes"]
    return figures


def raw(elf, core):
    sizes = dict(re.findall(r"^(\.\S+)\s+(\d+)", elf.with_name(elf.name + ".sizes").read_text(), re.M))
    symbols = {name: int(size, 16) for size, name in
               re.findall(r"^\S+ (\S+) \S .*::(\w+)$", elf.with_name(elf.name + ".symbols").read_text(), re.M)}
    total = lambda *names: sum(int(sizes.get(name, 0)) for name in names)
    said = elf.with_name(elf.name + ".said")
    figures = re.findall(r"^(\w+)=([0-9a-f]{8})$", said.read_text(), re.M) if said.exists() else []
    # An LX106 loads bytes from nowhere but RAM: its constants are there.
    constants = (".rodata",) if core == "lx106" else ()
    return {
        "bytes": total(".text", ".rodata", ".data"),
        "ram": total(".data", ".bss", ".uninit", *constants) - symbols.get("cells", 0),
        "package": symbols.get(DECODED.get(elf.name), 0),
        **{name: int(value, 16) for name, value in figures},
    }


def versions(directory):
    compiler, qemu = (directory / "compiler").read_text().split("\n")[:2]
    lock = (HERE / "Cargo.lock").read_text()
    found = dict(re.findall(r'name = "([^"]+)"\nversion = "([^"]+)"', lock))
    names = ("lockgate", "p256", "sha2", "p256-cortex-m4", "embassy-boot", "salty")
    return {"rustc": compiler, "qemu": qemu, "crates": {name: found[name] for name in names}}


def host():
    """What ../throughput.rs found when it was run last."""
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", HERE.parents[1] / "target"))
    try:
        ratio, net, sha = (target / "tmp/throughput").read_text().split()
    except FileNotFoundError:
        return json.loads((HERE / "results.json").read_text())["host"]
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
    own = {core: figures[f"{core}/stub"]["bytes"] for core in OWN_CODE}
    own = ", ".join(f"{CORES[core]} {size:,}{over(size, OWN_CODE[core])}" for core, size in own.items())
    rows += ["", f"Code without cryptography, in bytes: {own}; target on a Cortex-M4: {OWN_CODE['m4']:,}.", "", *decoders(figures), "", rotation(figures)]
    if on_host is not None:
        rows.append("")
        rows.append(f"Host, 16 MiB in blocks of 4 KiB, SHA-256 in {on_host['sha256_in']}: {on_host['ratio']} of the speed of "
                    f"plain SHA-256, {on_host['ratio_without_flash']} without what the flash in memory costs; target {HOST_RATIO}.")
    return rows


def decoders(figures):
    rows = ["| core | decoder | its package | code it adds | RAM it adds | instructions it adds, per byte of the image |",
            "|---|---|--:|--:|--:|--:|"]
    for core, program in itertools.product(CORES, DECODED):
        if not (figure := figures.get(f"{core}/{program}")):
            continue
        code, ram = ([f"{figure[what]:,}{over(figure[what], most)}" for what, most in
                      zip(("decoder_bytes", "decoder_ram"), DECODER)])
        work = figure["own_per_byte"] - figures[f"{core}/install"]["own_per_byte"]
        rows.append(f"| {CORES[core]} | {NAMES[program].removeprefix('install, ')} | {figure['package'] / IMAGE * 100:.0f} % of the image "
                    f"| {code} | {ram} | {work:.0f} |")
    return rows + ["", f"Targets of a decoder: {DECODER[0]:,} bytes of code, {DECODER[1]:,} of RAM, of which 512 are window and piece."]


def rotation(figures):
    """What a device pays that rotates its keys, the room for them included."""
    added = []
    for core in CORES:
        if (rotating := figures.get(f"{core}/install-rotate")):
            code, ram, stack = (rotating[what] - figures[f"{core}/install"][what] for what in ("bytes", "ram", "stack"))
            added.append(f"{CORES[core]} {code:,} of code, {ram:,} of RAM, {stack:,} of stack")
    return "Key rotation adds, in bytes: " + "; ".join(added) + "."


def chosen(figures):
    """The table of README.md."""
    yield "| core | what | million instructions | code | peak stack | static RAM |"
    yield "|---|---|--:|--:|--:|--:|"
    for key, (core, name) in CHOSEN.items():
        if figure := figures.get(key):
            yield (f"| {core} | {name} | {figure['instructions'] / 10**6:.1f} | {figure['bytes']:,} | {figure['stack']:,} "
                   f"| {figure['ram']:,} |")


def write_results(figures, of, on_host):
    rows = table(figures, on_host)
    rows += ["", f"{of['rustc']}; {of['qemu']}; " + ", ".join(f"{k} {v}" for k, v in of["crates"].items()) + "."]
    print("\n".join(rows))
    into(HERE.parent / "RESULTS.md", "chip/run.sh", rows)
    into(HERE.parents[1] / "README.md", "benches/chip/run.sh", chosen(figures))
    save("results.json", {"versions": of, "host": on_host, "figures": figures})


def into(page, script, rows):
    begin = BEGIN.format(script)
    before, rest = page.read_text().split(begin)
    page.write_text(before + begin + "\n" + "\n".join(rows) + "\n" + END + rest.split(END, 1)[1])


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
        for figure in figures.values():
            # What a decoder adds is held by the whole: it would grow by what becomes smaller elsewhere.
            for derived in ("package", "decoder_bytes", "decoder_ram"):
                figure.pop(derived, None)
        budgeted = {name: figure for name, figure in figures.items() if name.split("/")[1] in BUDGETED}
        save("budgets.json", {"versions": of, "figures": budgeted})


main()
