"""What a test has: a server, devices, and what is expected of them."""

import json
import os
import pathlib
import re
import subprocess
import tempfile
import time

import certificates
from machine import OUT, Failed, Machine, file
from server import Server

LOCKGATE = os.environ.get("LOCKGATE") or OUT / "cargo" / "release" / "lockgate"
NAME = "updates.lockgate.test"
SLOT = {"A": 0x100000, "B": 0x200000}

# What the application says when it has looked for an update.
LOOKED = r"app: idle\n"


def expect(condition, what, said=""):
    if not condition:
        raise Failed(f"not so: {what}\n{said}")


class Bench:
    """One test's own; its directory goes away with it."""

    def __init__(self):
        self._directory = tempfile.TemporaryDirectory(prefix="lockgate-")
        self.directory = pathlib.Path(self._directory.name)
        self.server = Server(certificates.contexts(self.directory, OUT / "keys" / "ca", NAME))
        self._devices = 0

    def device(self, flash="flash-https.bin"):
        self._devices += 1
        return Machine(self.directory / str(self._devices), flash, self.server.port)

    def serve(self, package, **behaviour):
        """`package` is a name, or bytes."""
        self.server.serve(file(f"{package}.lgu") if isinstance(package, str) else package, **behaviour)

    def close(self):
        self._directory.cleanup()


def holds(device, slot, image):
    """Whether the slot holds the image, byte for byte."""
    content = file(f"{image}.bin")
    with open(device.flash, "rb") as flash:
        flash.seek(SLOT[slot])
        return flash.read(len(content)) == content


def blank(device, slot):
    with open(device.flash, "rb") as flash:
        flash.seek(SLOT[slot])
        return not flash.read(0x100000).strip(b"\xff")


def refuses(bench, why, package="https-2", requests=None, **behaviour):
    """A device that is offered this says `why`, and goes on running what it ran. If one request (or none) was enough to find out, nothing
    was written to the other slot."""
    bench.serve(package, **behaviour)
    device = bench.device()
    said = device.run(LOOKED)
    expect(f"app: no update: {why}" in said, f"it says {why!r}", said)
    expect("rst cause:3" not in said, "it does not restart", said)
    expect(holds(device, "A", "https-1"), "the running image is as it was")
    if requests is not None:
        expect(len(bench.server.requests) == requests, f"the server saw {requests} requests", repr(bench.server.requests))
        expect(blank(device, "B"), "nothing was written to slot B")
    again = device.run(r"app: build 1 in slot A, confirmed, counter 1\n")
    expect("boot: slot A, confirmed" in again, "it starts again", again)
    return said


def ends_updated(device, said, old="https-1", new="https-2"):
    """The device runs and has kept build 2, which is in slot B."""
    expect("app: confirmed" in said or "build 2 in slot B, confirmed" in said, "build 2 is confirmed", said)
    expect("app: up to date" in said, "it knows that it is up to date", said)
    expect(holds(device, "B", new), "slot B holds build 2")
    expect(holds(device, "A", old), "slot A holds build 1 still")


def ranges(server):
    """The offsets that were asked for, 0 without a Range."""
    found = (re.search(r"\r\nRange: bytes=(\d+)-", request) for request in server.requests)
    return [int(match[1]) if match else 0 for match in found]


def send(device, package, cut=None, timeout=60):
    """Lets the device take a package over its UART from `lockgate send`. Gives its exit status, what the device said, and its JSON."""
    line, log = device.directory / "uart", device.directory / "uart.log"
    line.unlink(missing_ok=True)
    log.unlink(missing_ok=True)
    serial = ["-chardev", f"socket,id=uart,path={line},server=on,wait=on,logfile={log}"]
    emulator = subprocess.Popen(
        device.command("chardev:uart", cut, serial), cwd=device.directory, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not line.exists():
            if emulator.poll() is not None:
                raise Failed("the emulator ended before it began")
        time.sleep(0.1)  # it is there a moment before anybody listens
        command = [LOCKGATE, "send", OUT / f"{package}.lgu", "--port", f"unix:{line}", "--timeout", "20", "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
        # What the device says after its last word to the sender.
        until = time.monotonic() + 10
        while done.returncode == 0 and b"flash operations so far\n\nrom: rst cause:3" not in log.read_bytes().replace(b"\r", b"") and time.monotonic() < until:
            time.sleep(0.1)
    finally:
        emulator.kill()
        emulator.wait()
    said = log.read_bytes().decode("ascii", "replace").replace("\r", "")
    device.note(said)
    return done.returncode, said, json.loads(done.stdout) if done.stdout.strip() else {}
