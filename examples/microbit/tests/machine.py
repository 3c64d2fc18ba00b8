"""The emulated micro:bit: QEMU, whose flash is written once, kept over resets, and taken out when power is cut."""

import json
import os
import pathlib
import re
import select
import socket
import struct
import subprocess
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
OUT = HERE.parent / "target" / "microbit"
FLASH, RAM, RAM_SIZE, PAGE = 256 * 1024, 0x20000000, 16 * 1024, 1024
BOOT = range(0, 0x8000)
SLOT = {"A": range(0x9000, 0x23800), "B": range(0x23800, 0x3E000)}


class Failed(Exception):
    """The device did not do what it should have."""


def expect(condition, what, said=""):
    if not condition:
        raise Failed(f"not so: {what}\n{said}")


def file(name):
    return (OUT / name).read_bytes()


def symbol(elf, name):
    """The address of a function: what arm-none-eabi-nm would say, without needing it."""
    data = file(elf)
    shoff, = struct.unpack_from("<I", data, 32)
    size, count = struct.unpack_from("<HH", data, 46)
    headers = [struct.unpack_from("<10I", data, shoff + i * size) for i in range(count)]
    for _, kind, _, _, offset, length, link, _, _, entry in headers:
        if kind == 2:  # SHT_SYMTAB
            strings = headers[link][4]
            for at in range(offset, offset + length, entry):
                text, value = struct.unpack_from("<II", data, at)
                if data[strings + text : data.index(b"\0", strings + text)] == name.encode():
                    return value & ~1
    raise Failed(f"{elf} has no function {name}")


class Debugger:
    """A connection to QEMU's gdbstub: GDB's remote serial protocol, as little of it as is needed."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(str(path))
        self.buffer = b""

    def send(self, text):
        data = text.encode()
        self.socket.sendall(b"$" + data + b"#%02x" % (sum(data) & 255))

    def receive(self, timeout=30):
        """The next packet, or None if none came in time."""
        end = time.monotonic() + timeout
        while not (found := re.search(rb"\$([^#]*)#..", self.buffer, re.S)):
            if not select.select([self.socket], [], [], max(0, end - time.monotonic()))[0]:
                return None
            data = self.socket.recv(65536)
            if not data:
                raise Failed("the emulator has ended")
            self.buffer += data
        self.buffer = self.buffer[found.end() :]
        self.socket.sendall(b"+")
        return found[1].decode()

    def ask(self, text):
        self.send(text)
        return self.receive()

    def expect(self, text):
        answer = self.ask(text)
        expect(answer == "OK", f"the debugger takes {text[:20]}", answer)

    def write(self, address, data):
        for at in range(0, len(data), 1024):
            piece = data[at : at + 1024]
            self.expect(f"M{address + at:x},{len(piece):x}:{piece.hex()}")

    def read(self, address, count):
        pieces = [self.ask(f"m{at:x},{min(1024, address + count - at):x}") for at in range(address, address + count, 1024)]
        return b"".join(map(bytes.fromhex, pieces))

    def registers(self):
        return struct.unpack("<16I", bytes.fromhex(self.ask("g"))[:64])

    def stop_at(self, addresses, on=True):
        for address in addresses:
            self.expect(f"{'Z' if on else 'z'}0,{address:x},2")

    def go(self, timeout):
        """Runs; whether it came to a breakpoint in time. If not it runs on."""
        self.send("c")
        return self.receive(timeout) is not None

    def halt(self):
        self.socket.sendall(b"\x03")
        self.receive()

    def step(self):
        self.ask("s")


class Line:
    """The wire between the device's UART and a sender that may be there: counts, listens, and spoils bytes if it is told to."""

    def __init__(self, directory):
        self.said, self.frames = "", 0
        self.spoil = None  # called with the bytes for the device, gives those that arrive
        self.host_path, self.device_path = directory / "line", directory / "uart"
        self.ends = {}
        self.pieces = b""
        self.changed = threading.Condition()
        self.closed = False
        self.listeners = {self._listen(self.host_path): "host", self._listen(self.device_path): "device"}
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    @staticmethod
    def _listen(path):
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen()
        return listener

    def _run(self):
        while not self.closed:
            ready, _, _ = select.select([*self.listeners, *self.ends.values()], [], [], 0.2)
            for readable in ready:
                if readable in self.listeners:
                    end = self.listeners[readable]
                    if end in self.ends:
                        self.ends[end].close()
                    self.ends[end] = readable.accept()[0]
                    if end == "device":
                        self.pieces = b""  # what power was cut in has no end
                    continue
                end = next((end for end, open_ in self.ends.items() if open_ is readable), None)
                if end:
                    self._pump(end, readable)

    def _pump(self, end, readable):
        try:
            data = readable.recv(4096)
        except OSError:
            data = b""
        if not data:
            self.ends.pop(end).close()
            return
        if end == "device":
            self._hear(data)
        elif self.spoil:
            data = self.spoil(data)
        other = self.ends.get("host" if end == "device" else "device")
        if other and data:
            try:
                other.sendall(data)
            except OSError:
                pass

    def _hear(self, data):
        *pieces, self.pieces = (self.pieces + data).split(b"\0")
        with self.changed:
            for piece in pieces:
                self._piece(piece)
            # A line of text need not be followed by a frame.
            if self.pieces.endswith(b"\n") and self._is_text(self.pieces):
                self._piece(self.pieces)
                self.pieces = b""
            self.changed.notify_all()

    @staticmethod
    def _is_text(piece):
        return all(32 <= byte < 127 or byte == 10 for byte in piece)

    def _piece(self, piece):
        if self._is_text(piece):
            self.said += piece.decode()
        elif piece:
            self.frames += 1

    def wait(self, pattern, timeout, since=0):
        """Waits until the device has said it. Whether it did."""
        with self.changed:
            return self.changed.wait_for(lambda: re.search(pattern, self.said[since:]), timeout) is not None

    def close(self):
        self.closed = True
        self.thread.join()
        for open_ in [*self.listeners, *self.ends.values()]:
            open_.close()


class Machine:
    """A board on the desk. Between two runs its flash is a file in `directory`."""

    def __init__(self, directory, flash="flash.bin", icount=False):
        self.directory, self.icount = directory, icount
        directory.mkdir(parents=True, exist_ok=True)
        self.flash = file(flash)
        expect(len(self.flash) == FLASH, f"{flash} is the whole flash")
        self.line = Line(directory)
        self.process, self.resets = None, 0

    # ---- power ----

    def power_on(self, run=True):
        """Starts QEMU and puts the flash into it. Not by `-kernel` or `-device loader`, which put it in again at every reset."""
        qmp, gdb = self.directory / "qmp", self.directory / "gdb"
        for path in (qmp, gdb):
            path.unlink(missing_ok=True)
        command = ["qemu-system-arm", "-M", "microbit", "-display", "none", "-monitor", "none", "-S"]
        command += ["-chardev", f"socket,id=uart,path={self.line.device_path}", "-serial", "chardev:uart"]
        command += ["-qmp", f"unix:{qmp},server=on,wait=off"]
        command += ["-chardev", f"socket,id=gdb,path={gdb},server=on,wait=off", "-gdb", "chardev:gdb"]
        if self.icount:
            # An instruction takes 64 ns, which is a cycle of 16 MHz, nearly.
            command += ["-icount", "shift=6"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        end = time.monotonic() + 20
        while not (qmp.exists() and gdb.exists()):
            if self.process.poll() is not None or time.monotonic() > end:
                raise Failed("QEMU does not start: " + self.process.stdout.read().decode())
            time.sleep(0.005)
        self.qmp = socket.socket(socket.AF_UNIX)
        self.qmp.settimeout(30)
        self.qmp.connect(str(qmp))
        self.answers = self.qmp.makefile("r")
        self.answers.readline()
        self.command("qmp_capabilities")
        self.debugger = Debugger(gdb)
        self.debugger.write(0, self.flash)
        # RAM holds anything after power-on.
        self.debugger.write(RAM, bytes([0xA5]) * RAM_SIZE)
        self.reset()
        if run:
            self.resume()

    def hear(self):
        """What QEMU's monitor says next."""
        answer = json.loads(self.answers.readline())
        self.resets += answer.get("event") == "RESET"
        return answer

    def command(self, execute, **arguments):
        self.qmp.sendall(json.dumps({"execute": execute, "arguments": arguments}).encode())
        while True:
            answer = self.hear()
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise Failed(f"{execute}: {answer['error']}")

    def resume(self):
        """Lets it run, without a breakpoint."""
        self.debugger.send("c")

    def halt(self):
        self.debugger.halt()

    def reset(self):
        """What the watchdog or the reset button does: everything starts anew, flash and RAM stay. The processor must be halted."""
        before = self.resets
        self.command("system_reset")
        while self.resets == before:
            self.hear()

    def cut_power(self, halted=False, change=None):
        """Ends QEMU and keeps the flash; `change` may tear it before."""
        if not halted:
            self.halt()
        # Not by QEMU's `pmemsave`: that asks the board's memory, and flash and RAM are the chip's.
        self.flash = self.debugger.read(0, FLASH)
        if change:
            flash = bytearray(self.flash)
            change(flash)
            self.flash = bytes(flash)
        self.kill()

    def kill(self):
        if self.process:
            self.debugger.socket.close()
            self.qmp.close()
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.process = None

    def close(self):
        self.kill()
        self.line.close()

    # ---- what it says ----

    def run(self, until, timeout=60):
        """Runs from power-on until the console says `until` (a regular expression), then cuts power. Gives what it said."""
        since = len(self.line.said)
        self.power_on()
        self.wait(until, timeout, since)
        self.cut_power()
        return self.line.said[since:]

    def wait(self, until, timeout=60, since=0):
        if not self.line.wait(until, timeout, since):
            raise Failed(f"said no {until!r} in {timeout} s, but:\n{self.line.said[since:]}")
        expect("app: panic" not in self.line.said, "no panic", self.line.said)

    def sender(self, package, timeout=30):
        """`lockgate send` on the other end of the line, running."""
        command = [LOCKGATE, "send", OUT / f"{package}.lgu", "--port", f"unix:{self.line.host_path}", "--timeout", str(timeout), "--json"]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def send(self, package, timeout=120):
        """Sends a package to the running device. Gives exit status and what the sender says."""
        sender = self.sender(package)
        try:
            out, _ = sender.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            sender.kill()
            sender.communicate()
            raise Failed(f"the sender does not end:\n{self.line.said}") from None
        return sender.returncode, json.loads(out) if out.strip() else {}

    def holds(self, slot, image):
        """Whether the slot holds the image, byte for byte; in the flash as it was when power was cut."""
        content = file(f"{image}.bin")
        return self.flash[SLOT[slot].start :][: len(content)] == content


LOCKGATE = os.environ.get("LOCKGATE") or OUT / "cargo" / "release" / "lockgate"
