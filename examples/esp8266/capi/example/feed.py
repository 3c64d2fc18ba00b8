"""Gives the example what it asks for on its serial line: `want OFFSET LENGTH` is answered with so many bytes of the package."""

import os
import pathlib
import re
import selectors
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parents[2] / "tests"))
from machine import Failed  # noqa: E402


def feed(device, package, until, timeout=120, cut=None, lose_at=None):
    """Runs the device, feeding `package` (bytes), until it says `until` (a regular expression) or power is cut; a byte that is not in the package, or one
    from `lose_at` on, is never sent. Gives what it said."""
    emulator = subprocess.Popen(
        device.command("stdio", cut), cwd=device.directory, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    said, seen, deadline = "", 0, time.monotonic() + timeout
    end = len(package) if lose_at is None else lose_at
    with selectors.DefaultSelector() as selector:
        selector.register(emulator.stdout, selectors.EVENT_READ)
        try:
            while not re.search(until, said):
                if not selector.select(max(0, deadline - time.monotonic())):
                    raise Failed(f"said no {until!r} in {timeout} s, but:\n{said}")
                data = os.read(emulator.stdout.fileno(), 4096)
                if not data:
                    break
                said += data.decode("ascii", "replace")
                for want in re.finditer(r"want (\d+) (\d+)\n", said[seen:]):
                    offset, length = int(want[1]), int(want[2])
                    if offset + length <= end:
                        emulator.stdin.write(package[offset : offset + length])
                        emulator.stdin.flush()
                seen = said.rfind("\n") + 1
        finally:
            emulator.kill()
            emulator.wait()
    if "VIOLATION" in said or "rom: exception" in said:
        raise Failed(f"the ROM objects:\n{said}")
    if not re.search(until, said) and not (cut and "rom: power cut" in said):
        raise Failed(f"ended without {until!r}:\n{said}")
    return said
