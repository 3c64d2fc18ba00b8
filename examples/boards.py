"""Puts the figures of what was built and run last into ../README.md and the boards' own pages: `./ci.sh boards`, then examples/boards.py"""

import json
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE / "microbit" / "tests"))
import sizes  # noqa: E402

HEAD = ("board", "core", "what ran, and where", "flash: boot stage", "application", "RAM: boot stage", "application")


def image(path):
    """Bytes of a raw image."""
    return (HERE / path).stat().st_size


def statics(path):
    """Bytes of RAM that an ELF file takes before its stack."""
    listing = subprocess.run(["arm-none-eabi-size", "-A", "-d", HERE / path], check=True, capture_output=True, text=True).stdout
    return sum(int(size) for size in re.findall(r"^\.(?:data|bss|uninit) +(\d+)", listing, re.M))


def figures(path):
    return json.loads((HERE / path).read_text())


def esp8266():
    known = figures("esp8266/target/esp8266/figures.json")
    flash = {what: size for what, size, _ in known["sizes"]}
    ram = {what: used for what, used, _ in known["ram"]}
    told = "all of it under emulation, on the chip's own core: HTTPS and UART updates, trial, revert, hostile servers, power cuts"
    return (
        "[ESP8266](examples/esp8266/README.md)", "LX106", told,
        flash["boot stage"], flash["application, HTTPS, 1 KiB fragments"], ram["boot stage, hash check"], ram["HTTPS, 1 KiB fragments"],
    )  # fmt: skip


def microbit():
    known, out = figures("microbit/target/microbit/figures.json"), "microbit/target/microbit/"
    told = "all of it under emulation, from flash through its controller: UART updates, swap, trial, revert, "
    told += f"{known['cuts']} power cuts and resets"
    return (
        "[nRF51822](examples/microbit/README.md)", "Cortex-M0", told,
        image(out + "boot.bin"), image(out + "app.bin"), known["RAM of the boot stage"], known["RAM of the application"],
    )  # fmt: skip


def built(name, core, told, folder, target, boot, app):
    out, release = f"{folder}/target/images/", f"{folder}/target/{target}/release/"
    flash = (image(f"{out}{boot}.bin"), image(f"{out}{app}.bin"))
    return (name, core, told, *flash, *(f"{statics(release + elf):,} + stack" for elf in (boot, app)))


def rows():
    yield esp8266()
    yield microbit()
    logic = "its logic under emulation, on `mps2-an386` with a flash in RAM; the HAL's drivers are built"
    stm32 = ("stm32f4", "thumbv7em-none-eabihf")
    yield built("[STM32F405, stm32f4xx-hal](examples/stm32f4/README.md)", "Cortex-M4", logic, *stm32, "boot", "app")
    yield built("STM32F405, embassy-stm32", "Cortex-M4", logic, *stm32, "embassy-boot-stage", "embassy-app")
    model = "nothing: built; its flash driver is tested on the host, on a model of the controller"
    yield built("[EFM32 Wonder Gecko](examples/efm32/README.md)", "Cortex-M4", model, "efm32", "thumbv7em-none-eabi", "boot", "app")


def costs(folder, target, *programs):
    """Flash, what there is of it, and statics: a row for each (what, image, program, room)."""
    for what, raw, elf, room in programs:
        yield what, image(f"{folder}/target/images/{raw}.bin"), room, statics(f"{folder}/target/{target}/release/{elf}")


def stm32f4():
    room = 0x60000 - 1024
    return costs(
        "stm32f4", "thumbv7em-none-eabihf",
        ("boot stage, stm32f4xx-hal", "boot", "boot", 32768),
        ("boot stage, embassy-stm32", "embassy-boot-stage", "embassy-boot-stage", 32768),
        ("application, stm32f4xx-hal, with defmt", "app", "app", room),
        ("application, embassy-stm32, with defmt", "embassy-app", "embassy-app", room),
    )  # fmt: skip


def efm32():
    return costs("efm32", "thumbv7em-none-eabi", ("boot stage", "boot", "boot", 32768), ("application", "app", "app", 0x1A000 - 1024))


def microbit_flash():
    for name, (what, most) in sizes.PROGRAMS.items():
        yield what, image(f"microbit/target/microbit/{name}.bin"), most


def microbit_ram():
    known = figures("microbit/target/microbit/figures.json")
    for what, name, most in (
        ("boot stage, while it runs, exchange included", "RAM of the boot stage", 8192),
        ("boot stage that checks signatures", "RAM of the boot stage with signatures", 12288),
        ("application, whole update (its block buffer of 512 and 512 to decode in)", "RAM of the application", 8192),
        ("application, an update by delta", "RAM of the application, by delta", 8192),
    ):
        yield what, known[name], most


def microbit_delta():
    for what, number in (("only the build's number changes", 2), ("9,000 bytes of noise come with it", 3)):
        yield what, image(f"microbit/target/microbit/delta-{number}.lgu"), image(f"microbit/target/microbit/app-{number}.bin")


COST = ("bytes (Rust 1.96, \"s\", LTO)", "flash", "of", "static RAM")
PLACES = (
    ("../README.md", "boards", HEAD, 3, rows),
    ("microbit/README.md", "flash", ("bytes of flash", "used", "at most"), 1, microbit_flash),
    ("microbit/README.md", "ram", ("bytes of RAM in all: statics and stack at its deepest", "used", "at most"), 1, microbit_ram),
    ("microbit/README.md", "deltas", ("a delta's package, bytes", "sent", "image"), 1, microbit_delta),
    ("stm32f4/README.md", "cost", COST, 1, stm32f4),
    ("efm32/README.md", "cost", COST, 1, efm32),
)


def fill(page, place, head, words, rows):
    """Puts a table between `<!-- PLACE: by examples/boards.py -->` and the next end; the first `words` of its columns are words."""
    table = [head, ("---",) * words + ("--:",) * (len(head) - words), *rows]
    lines = ["| " + " | ".join(f"{cell:,}" if isinstance(cell, int) else cell for cell in row) + " |" for row in table]
    page = HERE / page
    text, places = re.subn(
        rf"(<!-- {place}: by \S*boards.py -->\n).*?(\n<!-- end -->)",
        lambda found: found[1] + "\n".join(lines) + found[2], page.read_text(), flags=re.S,
    )  # fmt: skip
    if places != 1:
        sys.exit(f"error: {page} has no place for the table '{place}'")
    page.write_text(text)


try:
    for place in PLACES:
        fill(*place[:4], place[4]())
except FileNotFoundError as missing:
    sys.exit(f"error: {missing.filename} is not there: ./ci.sh boards makes it")
