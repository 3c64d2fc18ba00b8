"""Puts the table of boards into ../README.md, with the figures of what was built and run last: `./ci.sh boards`, then examples/boards.py"""

import json
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
README = HERE.parent / "README.md"
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
    sizes = [image(f"{out}{boot}.bin"), image(f"{out}{app}.bin")]
    return (name, core, told, *sizes, *(f"{statics(release + elf):,} + stack" for elf in (boot, app)))


def rows():
    yield esp8266()
    yield microbit()
    logic = "its logic under emulation, on `mps2-an386` with a flash in RAM; the HAL's drivers are built"
    stm32 = ("stm32f4", "thumbv7em-none-eabihf")
    yield built("[STM32F405, stm32f4xx-hal](examples/stm32f4/README.md)", "Cortex-M4", logic, *stm32, "boot", "app")
    yield built("STM32F405, embassy-stm32", "Cortex-M4", logic, *stm32, "embassy-boot-stage", "embassy-app")
    model = "nothing: built; its flash driver is tested on the host, on a model of the controller"
    yield built("[EFM32 Wonder Gecko](examples/efm32/README.md)", "Cortex-M4", model, "efm32", "thumbv7em-none-eabi", "boot", "app")


def main():
    table = [HEAD, ("---",) * 3 + ("--:",) * 4, *rows()]
    lines = ["| " + " | ".join(f"{cell:,}" if isinstance(cell, int) else cell for cell in row) + " |" for row in table]
    text, places = re.subn(
        r"(<!-- boards: by examples/boards.py -->\n).*?(\n<!-- end -->)",
        lambda found: found[1] + "\n".join(lines) + found[2], README.read_text(), flags=re.S,
    )  # fmt: skip
    if places != 1:
        sys.exit("error: README.md has no place for the table of boards")
    README.write_text(text)


try:
    main()
except FileNotFoundError as missing:
    sys.exit(f"error: {missing.filename} is not there: ./ci.sh boards makes it")
