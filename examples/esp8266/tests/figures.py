"""Puts the figures of the last build and of the last whole run of the tests into ../README.md: ./run.sh figures"""

import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
README = HERE.parent / "README.md"
KEPT = HERE.parent / "target" / "esp8266" / "figures.json"


def keep(**figures):
    """Keeps figures for the next time that they are asked for."""
    known = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    KEPT.write_text(json.dumps(known | figures))


def table(head, rows):
    return "\n".join(["| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows]])


def tables(figures):
    """Name of a place in the README, and what belongs there."""
    number = "{:,}".format
    ram = [[what, number(used), number(most)] for what, used, most in figures["ram"]]
    sizes = [[what, number(flash), number(iram)] for what, flash, iram in figures["sizes"]]
    times = [[what, f"{count / 1e6:.0f} M", f"{count / 80e6:.1f} s", f"{count / 160e6:.1f} s"] for what, count in figures["instructions"]]
    times.append(["that is, for each byte", f"{figures['each byte']:.0f}", "", ""])
    kinds, image = figures["delta"], figures["image"]
    updates = [
        [f"bytes received for an image of {number(image)}", *(f"{number(kind['received'])} ({kind['received'] / image:.1%})" for kind in kinds.values())],
        ["instructions, but for handshake and signature", *(f"{kind['instructions'] / 1e6:.0f} M" for kind in kinds.values())],
        ["RAM in all, bytes", *(number(kind["RAM"]) for kind in kinds.values())],
        ["of it stack, at its deepest", *(number(kind["stack"]) for kind in kinds.values())],
    ]
    code, most_code, state, most_state, flash, static = figures["decoder"]
    decoder = [
        ["decoder alone: code", number(code), number(most_code)],
        ["its state, with a window of 8", number(state), number(most_state)],
        ["all that an application has for it: flash", number(flash), ""],
        ["constants and variables", number(static), ""],
    ]
    return {
        "deltas": table(["an update over HTTPS, 1 KiB fragments", *kinds], updates),
        "decoder": table(["bytes", "used", "at most"], decoder),
        "ram": table(["RAM in all: statics, stack, TCP, TLS and block buffers, constants; bytes", "used", "at most"], ram),
        "sizes": table(["bytes", "flash", "instruction RAM"], sizes),
        "instructions": table(["QEMU, `-icount`", "instructions", "at 80 MHz", "at 160 MHz"], times),
    }


def main():
    if not KEPT.exists() or not {"ram", "sizes", "instructions", "delta", "decoder"} <= json.loads(KEPT.read_text()).keys():
        sys.exit("error: there are no figures yet: ./build.sh, then ./run.sh test, whole")
    text = README.read_text()
    for name, content in tables(json.loads(KEPT.read_text())).items():
        text, places = re.subn(rf"(<!-- {name} -->\n).*?(\n<!-- end -->)", lambda found: found[1] + content + found[2], text, flags=re.S)
        if places != 1:
            sys.exit(f"error: README.md has no place for {name}")
    README.write_text(text)
    print("README.md has the figures of the last build and of the last whole run of the tests")


if __name__ == "__main__":
    main()
