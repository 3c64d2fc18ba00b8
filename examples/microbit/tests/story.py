"""The whole story on the emulated chip, with its console: an update, a power cut, a trial, a package that is refused, a bad image."""

import pathlib
import sys
import tempfile

import power
from machine import Failed, Machine

COLOUR = sys.stdout.isatty()


class Story:
    def __init__(self, device):
        self.device, self.told = device, 0

    def tell(self, text):
        print(f"\n\033[1m{text}\033[0m" if COLOUR else f"\n== {text}", flush=True)

    def console(self):
        said = self.device.line.said
        for line in said[self.told :].splitlines():
            print(f"    {line}", flush=True)
        self.told = len(said)

    def send(self, package, until):
        _, result = self.device.send(package)
        dog = power.Watchdog(self.device)
        while not self.device.line.wait(until, 0.1, self.told):
            dog.look()
        self.console()
        print(f"    lockgate send: {result['outcome']}, {result['bytes']} bytes in {result['frames']} frames", flush=True)

    def run(self):
        device = self.device
        self.tell("A device from the factory runs build 1. Build 2 comes over its UART, and power fails while a page is erased:")
        device.power_on(run=False)
        sender = device.sender("app-2")
        power.run_to(device, power.operations("nvmc_erase"), 30, lambda: False)
        device.cut_power(halted=True, change=lambda flash: flash.__setitem__(slice(0x2A000, 0x2A123), b"\xff" * 0x123))
        self.console()
        self.tell("Power is back. The device asks for what is missing; the boot stage exchanges the slots; power fails in the middle of that:")
        device.power_on(run=False)
        power.run_to(device, power.operations("nvmc_erase", ["boot.elf"]), 41, lambda: False)
        device.cut_power(halted=True)
        sender.communicate(timeout=30)
        self.console()
        self.tell("Power is back. The exchange goes on, build 2 is tried, tests itself, and is kept:")
        device.power_on()
        device.wait("app: confirmed\n", since=self.told)
        self.console()
        self.tell("Build 1 again:")
        self.send("app-1", "app: no update.*\n")
        self.tell("Build 2, signed by another key:")
        self.send("wrong-key", "app: no update.*\n")
        self.tell("Build 9, properly signed. It hangs at its start, and the watchdog (here: the test) resets it:")
        self.send("hang", "app: build 2, reverted.*\n")


def main():
    with tempfile.TemporaryDirectory(prefix="lockgate-") as directory:
        device = Machine(pathlib.Path(directory))
        try:
            Story(device).run()
        except Failed as error:
            sys.exit(f"error: {error}")
        finally:
            device.close()


if __name__ == "__main__":
    main()
