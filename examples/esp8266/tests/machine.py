"""The emulated ESP8266: QEMU with the stand-in for the mask ROM, a flash that outlives it, and a console."""

import os
import pathlib
import re
import selectors
import shutil
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
OUT = HERE.parent / "target" / "esp8266"

POWER_CUT = 77  # ../rom/rom.h
CUT_AT, CUT_SEED = 0x60200000, 0x60200004


LOG = []  # which flash the devices of this process had at first, and what they said


class Failed(Exception):
    """The device did not do what it should have."""


def file(name):
    return (OUT / name).read_bytes()


class Machine:
    """A board on the desk. `directory` keeps its flash."""

    def __init__(self, directory, flash, port=0):
        self.directory = directory
        self.port = port
        self.kind = flash
        directory.mkdir(parents=True, exist_ok=True)
        shutil.copy(OUT / flash, self.flash)

    @property
    def flash(self):
        return self.directory / "flash.bin"

    def note(self, said):
        LOG.append((self.kind, said))

    def command(self, serial, cut, first=()):
        command = ["qemu-system-xtensa", "-M", "kc705-nommu", "-cpu", "lx106", "-icount", "shift=4", "-semihosting"]
        command += [*first, "-display", "none", "-monitor", "none", "-serial", serial]
        command += ["-device", f"loader,file={OUT / 'rom.elf'},cpu-num=0"]
        if self.port:
            forward = f"tcp:10.0.2.100:8443-cmd:{HERE / 'pipe.sh'} {self.port}"
            command += ["-nic", f"user,model=open_eth,restrict=on,guestfwd={forward}"]
        for address, word in zip((CUT_AT, CUT_SEED), cut or ()):
            command += ["-device", f"loader,addr={address},data={word},data-len=4"]
        return command

    def run(self, until, timeout=120, cut=None, answer=None):
        """Runs until the console says `until` (a regular expression), or power is cut. Gives what it said so far: not a byte more, however late the
        power went. `answer` gives what the serial line sends in answer to each line."""
        process = subprocess.Popen(
            self.command("stdio", cut),
            cwd=self.directory,
            stdin=subprocess.PIPE if answer else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        said, answered, deadline = "", 0, time.monotonic() + timeout
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            try:
                while not re.search(until, said):
                    if not selector.select(max(0, deadline - time.monotonic())):
                        raise Failed(f"said no {until!r} in {timeout} s, but:\n{said}")
                    data = os.read(process.stdout.fileno(), 4096)
                    if not data:
                        break
                    said += data.decode("ascii", "replace")
                    while answer and "\n" in said[answered:]:
                        end = said.index("\n", answered) + 1
                        process.stdin.write(answer(said[answered:end]))
                        process.stdin.flush()
                        answered = end
            finally:
                process.kill()
                process.wait()
        self.note(said)
        if "VIOLATION" in said or "app: panic" in said:
            raise Failed(f"the ROM objects:\n{said}")
        found = re.search(until, said)
        if not found and not (cut and "rom: power cut" in said):
            raise Failed(f"ended without {until!r}:\n{said}")
        return said[: found.end()] if found else said
