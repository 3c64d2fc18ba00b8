"""Cuts power, and resets, in flash operations: stops at the two functions of ../board/src/flash.rs that use the controller."""

import random
import re
import time

from machine import PAGE, SLOT, Failed, expect, symbol

# QEMU has no watchdog; the chip's bites after 16 s, this one if an image on trial said nothing for so long.
BITES_AFTER = 1.0


def operations(name, programs=("boot.elf", "app.elf")):
    return [symbol(elf, name) for elf in programs]


class Watchdog:
    """The device's, played by the tests: resets an image that hangs on trial."""

    def __init__(self, device):
        self.device, self.length, self.since, self.bites = device, 0, time.monotonic(), 0

    def look(self):
        """Called while the device runs."""
        said = self.device.line.said
        if len(said) != self.length:
            self.length, self.since = len(said), time.monotonic()
        hangs = said.rstrip("\n").rpartition("\n")[2].startswith("boot: on trial")
        if hangs and time.monotonic() - self.since > BITES_AFTER:
            self.bites, self.since = self.bites + 1, time.monotonic()
            self.device.halt()
            self.device.reset()
            self.device.resume()


def run_to(device, addresses, count, done):
    """Runs the halted device until it comes to `addresses` for the `count`th time (from 0), or `done()`. Whether it came there; halted in both cases."""
    debugger, dog = device.debugger, Watchdog(device)
    debugger.stop_at(addresses)
    device.resume()
    end = time.monotonic() + 120
    while True:
        if debugger.receive(0.02) is None:
            if done():
                device.halt()
                break
            expect(time.monotonic() < end, "it ends", device.line.said)
            dog.look()
            continue
        if count == 0:
            break
        count -= 1
        debugger.step()
        device.resume()
    came = not done()
    debugger.stop_at(addresses, False)
    return came


def tear(device, dice, name):
    """What a power cut in the operation that the halted device is about to do leaves: some of the bits that were to change."""
    to, source, count = device.debugger.registers()[:3]
    some = dice.choice([lambda: 0, lambda: dice.getrandbits(8), lambda: dice.getrandbits(8) | dice.getrandbits(8), lambda: 255])
    if name == "nvmc_erase":

        def change(flash):
            flash[to : to + PAGE] = bytes(byte | some() for byte in flash[to : to + PAGE])
    else:
        data, whole = device.debugger.read(source, count), dice.randrange(0, count + 1, 4)

        def change(flash):
            for at, byte in enumerate(data[: whole + 4]):
                flash[to + at] &= byte if at < whole else byte | some()

    return change


def region(at):
    slot = next((f"slot {slot}" for slot, addresses in SLOT.items() if at in addresses), None)
    return slot or ("the records" if at < SLOT["A"].start else "the spare pages")


def cut_somewhere(device, dice, done, erases):
    """Cuts power or resets in one flash operation. Whether it came to that before the life was over; the device is on and halted when it did."""
    where = dice.choice(["erase", "program", "program", "application"])
    if where == "application":
        # In a trial, what it writes are the records with which it confirms itself.
        name, addresses = "nvmc_program", operations("nvmc_program", ["app.elf"])
        came = run_to(device, addresses, dice.randrange(16), done)
    else:
        name = "nvmc_erase"
        came = run_to(device, operations(name), dice.randrange(erases), done)
        if came and where == "program":
            name = "nvmc_program"
            came = run_to(device, operations(name), dice.randrange(18), done)
    if not came:
        return False
    print(f"measured: cuts in {region(device.debugger.registers()[0])}: 1")
    if dice.random() < 0.45:
        device.cut_power(halted=True, change=tear(device, dice, name))
        device.power_on(run=False)
    else:
        # Somewhere in the operation: a word is about ten instructions.
        for _ in range(dice.randrange(100)):
            device.debugger.step()
        device.reset()
        print("measured: cuts by system_reset: 1")
    return True


def life(device, seed, ends, erases, sender=None, crashes=False):
    """One to three cuts at random, then whatever is left until the console says `ends`. Gives how many cuts there were."""
    dice, cuts = random.Random(seed), 0
    since = len(device.line.said)

    def done():
        return re.search(ends, device.line.said[since:]) is not None

    try:
        device.power_on(run=False)
        for _ in range(dice.randrange(1, 4)):
            if not cut_somewhere(device, dice, done, erases):
                break
            cuts += 1
            erases = max(4, erases // 2)
        if not done():
            run_to(device, [], 0, done)
    except Failed as error:
        raise Failed(f"life {seed}: {error}") from None
    finally:
        if sender:
            sender.kill()
            sender.communicate()
    said = device.line.said[since:]
    expect("no slot holds" not in said and "app: panic" not in said and ("app: fault" in said) == crashes, f"life {seed}: an image runs", said)
    device.cut_power(halted=True)
    return cuts


def life_reverted(device, seed):
    """A life in which the image on trial crashes each time, until the old one is back."""
    return life(device, seed, r"app: build 1, reverted", 216, crashes=True)


def count(device, address, boot="boot.elf"):
    """Runs the halted device to `address`, and counts: pages erased, bytes programmed."""
    debugger, erase, program = device.debugger, symbol(boot, "nvmc_erase"), symbol(boot, "nvmc_program")
    erased = programmed = 0
    debugger.stop_at([erase, program, address])
    while True:
        expect(debugger.go(30), "it comes to a stop", device.line.said)
        registers = debugger.registers()
        if registers[15] == address:
            return erased, programmed
        erased += registers[15] == erase
        programmed += registers[2] if registers[15] == program else 0
        debugger.step()
