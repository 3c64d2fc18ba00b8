"""How large the programs are, by section, and whether they keep to their budgets. The RAM they need at run time is measured by run.py."""

import pathlib
import re
import subprocess
import sys

import figures

FLASH = range(0x40200000, 0x40300000)
IRAM = range(0x40100000, 0x40110000)
KIB = 1024

# name: (what, most bytes of code in flash, most bytes of instruction RAM)
PROGRAMS = {
    "boot": ("boot stage", 60 * KIB, 16 * KIB),
    "boot-signatures": ("boot stage with signature check", 60 * KIB, 16 * KIB),
    "https-1": ("application, HTTPS, 1 KiB fragments", 180 * KIB, 32 * KIB),
    "https-whole-1": ("application, HTTPS, without deltas", 180 * KIB, 32 * KIB),
    "https-4k-1": ("application, HTTPS, 4 KiB fragments", 180 * KIB, 32 * KIB),
    "uart-1": ("application, UART", 180 * KIB, 32 * KIB),
    "capi-1": ("application in C, with the library", 180 * KIB, 32 * KIB),
}


def sections(elf):
    listing = subprocess.run(["xtensa-lx106-elf-size", "-A", "-d", elf], check=True, capture_output=True, text=True).stdout
    return {m[1]: (int(m[2]), int(m[3])) for m in re.finditer(r"^(\.\S+)\s+(\d+)\s+(\d+)$", listing, re.M)}


def data_in_flash(map_file):
    """Input sections in the flash window that hold data: the chip loads only whole words from there."""
    text = map_file.read_text()
    placed = re.finditer(r"^ (\.\S+)\s+0x([0-9a-f]+)\s+0x([0-9a-f]+) ", text, re.M)
    return [m[1] for m in placed if int(m[2], 16) in FLASH and int(m[3], 16) and re.match(r"\.(ro)?data|\.bss", m[1])]


# The decoder of compressed and delta payloads: most bytes of code and constants, and of state with a window of 8.
DECODER, STATE, WINDOW = 3 * KIB, KIB, 256


def symbols(elf):
    listing = subprocess.run(["xtensa-lx106-elf-nm", "-S", elf], check=True, capture_output=True, text=True).stdout
    return {m[2]: int(m[1], 16) for m in re.finditer(r"^\w+ (\w+) \w (\S+)$", listing, re.M)}


def decoder(out):
    """Bytes of the decoder alone, of its state, and what an application has more for it: flash, constants and variables."""
    elf = out / "decoder.elf"
    found, sized = sections(elf), symbols(elf)
    # What every program has: functions of rt/mem.c, and the symbol that tells the state's size.
    state = sized["DECODER_STATE"]
    others = state + sum(sized.get(name, 0) for name in ("memset", "memcpy", "memmove", "memcmp", "bcmp"))
    code = sum(size for size, _ in found.values()) - others
    (flash, ram), (less_flash, less_ram) = (
        (found[".irom0.text"][0], found[".rodata"][0] + found[".bss"][0]) for found in (sections(out / f"{name}.elf") for name in ("https-1", "https-whole-1"))
    )
    return code, state + WINDOW, flash - less_flash, ram - less_ram


def main(out):
    failures, kept = [], []
    print(f"{'':38}{'flash':>9}{'IRAM':>8}{'statics':>9}   bytes")
    for name, (what, most_flash, most_iram) in PROGRAMS.items():
        elf = out / f"{name}.elf"
        if not elf.exists():
            failures.append(f"{name} was not built")
            continue
        found = sections(elf)
        flash = sum(size for size, at in found.values() if at in FLASH)
        iram = sum(size for size, at in found.values() if at in IRAM)
        statics = sum(found.get(section, (0, 0))[0] for section in (".rodata", ".bss"))
        print(f"{what:38}{flash:9,}{iram:8,}{statics:9,}")
        kept.append((what, flash, iram))
        if flash > most_flash:
            failures.append(f"{what}: {flash} bytes of flash, at most {most_flash}")
        if iram > most_iram:
            failures.append(f"{what}: {iram} bytes of instruction RAM, at most {most_iram}")
        failures += [f"{what}: {section} lies in flash" for section in data_in_flash(out / f"{name}.map")]
    code, state, flash, ram = decoder(out)
    print(f"decoder: {code:,} bytes of code, {state} of state; all for it in an application: {flash:,} of flash, {ram:,} of RAM")
    if code > DECODER or state > STATE:
        failures.append(f"decoder: {code} bytes of code and {state} of state, at most {DECODER} and {STATE}")
    figures.keep(sizes=kept, decoder=[code, DECODER, state, STATE, flash, ram])
    for failure in failures:
        print(f"error: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
