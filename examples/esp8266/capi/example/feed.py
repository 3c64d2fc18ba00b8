"""Gives the example what it asks for on its serial line: `want OFFSET LENGTH` is answered with so many bytes of the package."""

import re

from machine import Failed


def feed(device, package, until, cut=None):
    """Runs the device, feeding `package` (bytes), until it says `until` (a regular expression) or power is cut; a byte that is not in the package is
    never sent. Gives what it said."""

    def answer(line):
        want = re.fullmatch(r"want (\d+) (\d+)\n", line)
        if not want:
            return b""
        start, end = int(want[1]), int(want[1]) + int(want[2])
        return package[start:end] if end <= len(package) else b""

    said = device.run(until, cut=cut, answer=answer)
    if "rom: exception" in said:
        raise Failed(f"the program crashes:\n{said}")
    return said
