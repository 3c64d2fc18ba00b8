"""What the micro:bit example promises; each function is a promise, and its name says which."""

import random
import re
import struct

import power
from frames import changing
from machine import RAM, RAM_SIZE, SLOT, expect, file

UPDATING, EXCHANGING, REVERTING = range(16), range(100, 148), range(200, 216)  # seeds of lives

IDLE = r"counter {}\n"


def measured(what, number):
    """Figures for run.py, which reads them from what the test printed."""
    print(f"measured: {what}: {number}")


def updated(device, build, counter):
    """The device runs this build, and has kept it."""
    said = device.run(r"app: build \d+, .*\n")
    expect(f"app: build {build}, confirmed, counter {counter}\n" in said, f"build {build} is confirmed", said)
    expect(device.holds("A", f"app-{build}"), f"slot A holds build {build}")


def take(device, package, until):
    """Sends a package to a device that was switched off, and runs it until it says `until`. Gives status, result, and what it said."""
    since = len(device.line.said)
    device.power_on()
    status, result = device.send(package)
    device.wait(until, since=since)
    device.cut_power()
    return status, result, device.line.said[since:]


# ---- the emulator --------------------------------------------------------------------------------------------


def flash_outlives_a_reset_and_a_restart_of_the_emulator(bench):
    device = bench.device()
    device.power_on()
    device.wait(IDLE.format(1))
    device.halt()
    # A word of the spare page, as a debugger writes it.
    device.debugger.write(SLOT["B"].stop, b"kept")
    device.reset()
    expect(device.debugger.read(SLOT["B"].stop, 4) == b"kept", "a reset keeps it")
    device.resume()
    device.cut_power()
    device.power_on()
    device.cut_power()
    expect(device.flash[SLOT["B"].stop :][:4] == b"kept", "a restart keeps it")
    expect(device.flash[: SLOT["B"].stop] == file("flash.bin")[: SLOT["B"].stop], "and everything else; a boot of a confirmed image writes nothing")


# ---- updates -------------------------------------------------------------------------------------------------


def a_device_from_the_factory_boots(bench):
    said = bench.device().run(IDLE.format(1))
    expect(said == "boot: confirmed\napp: build 1, confirmed, counter 1\n", "that is all it says", said)


def an_update_is_tried_confirmed_and_followed_by_the_next(bench):
    device = bench.device()
    status, result, said = take(device, "app-2", "app: confirmed")
    expect(status == 0 and result["outcome"] == "verified", "the sender is told", repr(result))
    order = ["build 1, confirmed", "version 1.2.0 is verified", "boot: on trial, attempt 1 of 3", "build 2, on trial, attempt 1 of 3, counter 1", "app: confirmed"]
    expect(re.search(".*".join(map(re.escape, order)), said, re.S), "it happens in this order: " + ", ".join(order), said)
    for statics, stack in re.findall(r"RAM used: (\d+) bytes of statics, (\d+) of stack", said):
        measured("RAM of the application", int(statics) + int(stack))
    updated(device, 2, 2)
    status, _, said = take(device, "app-3", "app: confirmed")
    expect(status == 0 and "build 3, on trial" in said, "build 3, which is larger, is tried", said)
    updated(device, 3, 3)
    status, _, said = take(device, "app-2", "app: no update")
    expect(status == 1 and "security counter too low" in said, "there is no way back to build 2", said)


def an_update_by_delta_is_tried_confirmed_and_followed_by_the_next(bench):
    device = bench.device()
    status, result, said = take(device, "delta-2", "app: confirmed")
    expect(status == 0 and result["outcome"] == "verified", "the sender is told", repr(result))
    expect("build 2, on trial, attempt 1 of 3, counter 1" in said, "build 2 is tried", said)
    measured("bytes received for a delta", result["bytes"])
    for statics, stack in re.findall(r"RAM used: (\d+) bytes of statics, (\d+) of stack", said):
        measured("RAM of the application, by delta", int(statics) + int(stack))
        measured("stack of the application, by delta", int(stack))
    updated(device, 2, 2)
    status, _, said = take(device, "delta-3", "app: confirmed")
    expect(status == 0 and "build 3, on trial" in said, "build 3 is made of build 2, which came as a delta", said)
    updated(device, 3, 3)


def interrupts_reach_the_application_in_slot_a(bench):
    """The application's self-test waits for one. The processor takes its vector from the boot stage's table."""
    device = bench.device("pending-app-2")
    said = device.run("app: confirmed")
    expect("not working" not in said, "the interrupt came", said)
    vectors = [int.from_bytes(device.flash[table + 4 * 25 :][:4], "little") for table in (0, SLOT["A"].start)]
    expect(vectors[0] < 0x8000 and vectors[1] in SLOT["A"], f"the processor's vector is the boot stage's: {vectors}")


# ---- packages that are refused -------------------------------------------------------------------------------


def _refused(bench, package, why, change=None):
    device = bench.device()
    device.line.spoil = change and changing(change)
    status, result, said = take(device, package, "app: no update.*\n")
    expect(status == 1 and result["outcome"] == "refused", "the sender is told", f"{status} {result}")
    expect(f"app: no update: {why}" in said, f"it says {why!r}", said)
    expect("restarting" not in said and device.holds("A", "app-1"), "nothing is changed", said)
    updated(device, 1, 1)
    device.line.spoil = None
    return device


def an_older_package_is_refused(bench):
    _refused(bench, "older", "security counter too low")


def a_delta_of_another_image_is_refused_before_anything_is_erased(bench):
    device = _refused(bench, "delta-3", "delta of another image than the one that runs")
    expect(device.flash == file("flash.bin"), "flash is as it was")


def a_package_for_another_class_is_refused(bench):
    _refused(bench, "wrong-class", "for another class")


def a_package_signed_by_another_key_is_refused_before_anything_is_erased(bench):
    device = _refused(bench, "wrong-key", "not signed by a trusted key")
    expect(device.flash == file("flash.bin"), "flash is as it was")


def a_tampered_package_is_refused_and_the_right_one_taken_after_it(bench):
    """The sender looks at packages itself, so that somebody in the middle does it, who gets the line's checks right."""
    size = len(file("app-2.lgu"))

    def flip(offset, data):
        at = size // 2 - offset
        return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :] if 0 <= at < len(data) else data

    device = _refused(bench, "app-2", "block is not the one that was signed", flip)
    status, result, _ = take(device, "app-2", "app: confirmed")
    expect(status == 0 and result["bytes"] < size * 2 // 3, "what was there before the bad block is not sent again", repr(result))
    updated(device, 2, 2)


def what_is_no_package_is_refused(bench):
    _refused(bench, "app-2", "not a package", lambda _, data: (b"nothing here" * 6)[: len(data)])


def an_image_for_another_address_is_refused(bench):
    _refused(bench, "large-boot-2", "malformed, or not for this device")


# ---- signatures in the boot stage ----------------------------------------------------------------------------


def a_boot_stage_that_checks_signatures_starts_signed_images_and_no_other(bench):
    device = bench.device("flash-signatures")
    status, result, said = take(device, "large-boot-2", "app: confirmed")
    expect(status == 0 and "build 2, on trial" in said, "build 2 is tried", said)
    start = int.from_bytes(file("large-boot.bin")[4:8], "little") & ~1
    device.power_on(run=False)
    power.count(device, start, "boot-signatures.elf")
    measured("RAM of the boot stage with signatures", len(device.debugger.read(RAM, RAM_SIZE).lstrip(b"\xa5")))
    device.cut_power(halted=True)
    expect("build 2, confirmed" in device.run(r"counter 2\n"), "and kept")
    trailer = 0x24800 - 1024
    expect(device.flash[trailer : trailer + 3] == b"\x89LG", "there is the trailer")
    signed = struct.unpack_from("<H", device.flash, trailer + 12)[0] + 16
    flash = bytearray(device.flash)
    flash[trailer + signed + 2 + 12 + 20] ^= 1  # of the signature of the image that runs
    device.flash = bytes(flash)
    # Nor is the other image, whose security counter is too low by now.
    device.run("boot: no slot holds an image that verifies")


# ---- the line ------------------------------------------------------------------------------------------------


def lost_and_garbled_bytes_cost_a_frame_each(bench):
    device, dice, damaged = bench.device(), random.Random(1), []

    def spoil(data):
        if dice.random() > 0.04:
            return data
        damaged.append(len(data))
        at, some = dice.randrange(len(data)), dice.randrange(1, 4)
        if dice.random() < 0.5:
            return data[:at] + data[at + some :]
        return data[:at] + bytes([data[at] ^ 1 << dice.randrange(8)]) + data[at + 1 :]

    device.line.spoil = spoil
    status, result, _ = take(device, "app-2", "app: confirmed")
    expect(status == 0, "the update gets through", repr(result))
    expect(len(damaged) > 10 and result["repeated"] <= len(damaged) * 5 // 4, f"{len(damaged)} frames were damaged, hardly more were asked for again", repr(result))
    updated(device, 2, 2)


def an_update_goes_on_where_the_device_was_reset(bench):
    device = bench.device()
    device.power_on()
    device.wait(IDLE.format(1))
    sender = device.sender("app-2")
    with device.line.changed:
        device.line.changed.wait_for(lambda: device.line.frames > 600, 60)
    device.halt()
    device.reset()
    before = device.line.frames
    device.resume()
    out, _ = sender.communicate(timeout=60)
    expect(sender.returncode == 0, "the same sender brings the rest", out)
    frames, whole = device.line.frames - before, len(file("app-2.lgu")) // 64
    expect(frames < whole * 2 // 3, f"{frames} frames of {whole} were asked for after the reset")
    device.wait("app: confirmed")
    device.cut_power()
    updated(device, 2, 2)


# ---- images that fail ----------------------------------------------------------------------------------------


def _reverted(bench, image, package, bites, says=()):
    device = bench.device(f"pending-{image}")
    since = len(device.line.said)
    device.power_on(run=False)
    dog = power.Watchdog(device)
    device.resume()
    while not device.line.wait(r"app: build 1, reverted.*\n", 0.1, since):
        dog.look()
    device.cut_power()
    said = device.line.said[since:]
    for attempt in (1, 2, 3):
        expect(f"boot: on trial, attempt {attempt} of 3" in said, f"it is tried the {attempt}. time", said)
    expect(dog.bites == bites, f"the watchdog bites {bites} times, not {dog.bites}", said)
    for text in says:
        expect(said.count(text) == 3, f"each time it says {text!r}", said)
    expect("boot: reverted\napp: build 1, reverted, counter 1" in said, "the old image comes back", said)
    expect(device.holds("A", "app-1"), "slot A holds it")
    status, _, said = take(device, package, "app: no update.*\n")
    expect(status == 1 and "failed on this device before" in said, "the bad image is not taken again", said)
    status, _, said = take(device, "app-2", "app: confirmed")
    updated(device, 2, 2)


def an_image_that_hangs_at_its_start_is_taken_back(bench):
    _reverted(bench, "hang", "hang", bites=3)


def an_image_that_crashes_at_its_start_is_taken_back(bench):
    """The fault reaches the image's own handler, by way of the boot stage."""
    _reverted(bench, "crash", "crash", bites=0, says=["app: fault"])


def a_signed_image_that_is_no_image_for_this_chip_is_taken_back(bench):
    _reverted(bench, "no-vectors", "no-vectors", bites=0, says=["boot: the image has no vector table"])


# ---- power ---------------------------------------------------------------------------------------------------


def _enough(cuts, lives):
    measured("cuts", cuts)
    expect(cuts >= lives // 2, f"there were {cuts} cuts in {lives} lives")


def power_cuts_while_an_update_arrives_lose_nothing(bench, seeds=UPDATING):
    cuts = 0
    for seed in seeds:
        device = bench.device()
        cuts += power.life(device, seed, r"app: confirmed|build 2, confirmed", 160, device.sender("app-2", 100))
        updated(device, 2, 2)
        device.close()
    _enough(cuts, len(seeds))


def power_cuts_while_slots_are_exchanged_and_in_the_trial_lose_nothing(bench, seeds=EXCHANGING):
    cuts = 0
    for seed in seeds:
        device = bench.device("pending-app-2")
        cuts += power.life(device, seed, r"app: confirmed|build 2, confirmed", 108)
        updated(device, 2, 2)
        device.close()
    _enough(cuts, len(seeds))


def power_cuts_in_trial_and_revert_lose_nothing(bench, seeds=REVERTING):
    cuts = 0
    for seed in seeds:
        device = bench.device("pending-crash")
        cuts += power.life_reverted(device, seed)
        expect(device.holds("A", "app-1"), f"life {seed}: slot A holds build 1")
        status, _, said = take(device, "app-2", "app: confirmed")
        updated(device, 2, 2)
        device.close()
    _enough(cuts, len(seeds))


# ---- what it costs -------------------------------------------------------------------------------------------


def the_boot_stage_keeps_to_its_ram_and_an_exchange_to_its_erases(bench):
    start = int.from_bytes(file("app.bin")[4:8], "little") & ~1
    for flash in ("flash", "pending-app-2"):
        device = bench.device(flash)
        device.power_on(run=False)
        erases, bytes_written = power.count(device, start)
        ram = device.debugger.read(RAM, RAM_SIZE)
        measured("RAM of the boot stage", len(ram.lstrip(b"\xa5")))
        device.cut_power(halted=True)
    measured("erases of an exchange", erases)
    measured("bytes programmed in an exchange", bytes_written)


def the_signature_is_checked_before_the_watchdog_bites(bench):
    device = bench.device(icount=True)
    _, _, said = take(device, "wrong-class", "app: no update.*\n")
    us = int(re.search(r"signature checked, (\d+) us", said)[1])
    measured("signature check, instructions", us * 1_000_000 // 64_000)
    expect(us < 8_000_000, "half of the watchdog's 16 s is enough at an instruction a cycle", said)


TESTS = [function for name, function in list(globals().items()) if callable(function) and getattr(function, "__module__", "") == __name__ and not name.startswith("_") and name not in ("measured", "updated", "take")]
