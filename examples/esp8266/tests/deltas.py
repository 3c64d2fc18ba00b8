"""What the ESP8266 example promises of deltas: build 1 is served what makes build 2 of it. Each function is a promise."""

import re

from bench import LOOKED, ends_updated, expect, holds, ranges, refuses, send
from machine import file

# Flash operations that a sector costs, and sectors that are written again after a cut: those behind the last checkpoint (every 8192 bytes)
# and the one that was torn. Then what head and records take.
SECTOR, AGAIN, BESIDES = 1 + 16, 3, 40


def operations(said):
    """Flash operations up to the end of the install."""
    found = re.search(r"(\d+) flash operations so far\n\nrom: rst cause:3", said)
    expect(found, "the device restarts into what it installed", said)
    return int(found[1])


def an_update_by_delta_is_tried_confirmed_and_followed_by_the_next(bench):
    bench.serve("delta-2")
    device = bench.device()
    said = device.run(LOOKED)
    order = [
        "build 1 in slot A", "server authenticated", "version 1.2.0 is verified", "boot: slot B, on trial, attempt 1 of 3",
        "build 2 in slot B, on trial, attempt 1 of 3, counter 1", "app: confirmed", "app: up to date",
    ]
    expect(re.search(".*".join(map(re.escape, order)), said, re.S), "it happens in this order: " + ", ".join(order), said)
    ends_updated(device, said, new="https-more-2")
    expect(len(file("delta-2.lgu")) * 20 < len(file("https-more-2.bin")), "fewer than 5 per cent of the image were sent")
    bench.serve("delta-3")
    said = device.run(LOOKED)
    expect("build 2 in slot B, confirmed, counter 2" in said, "build 2 was kept", said)
    expect("build 3 in slot A, on trial" in said and "app: confirmed" in said, "build 3, made of build 2, is tried and kept", said)
    expect(holds(device, "A", "https-3") and holds(device, "B", "https-more-2"), "the slots hold builds 3 and 2")


def a_delta_of_another_image_is_refused_before_the_first_erase(bench):
    refuses(bench, "delta of another image than the one that runs", package="wrong-base", requests=1)
    refuses(bench, "delta of another image than the one that runs", package="delta-3", requests=1)


def a_tampered_delta_is_refused(bench):
    refuses(bench, "block is not the one that was signed", package="delta-2", mishap="tampered", after=2000)


def a_truncated_delta_is_refused(bench):
    refuses(bench, "package ends early", package=file("delta-2.lgu")[:2500])


def a_delta_that_was_cut_off_goes_on_where_it_was(bench):
    bench.serve("delta-2", mishap="ended early", times=3, after=1500)
    device = bench.device()
    ends_updated(device, device.run(LOOKED), new="https-more-2")
    # What follows are the trial and another look.
    asked = ranges(bench.server)[:-2]
    expect(len(asked) > 1 and asked == sorted(set(asked)), "each time it asked for what was missing only", repr(asked))


def a_reset_in_the_middle_of_a_delta_writes_nothing_twice(bench):
    bench.serve("delta-2")
    whole = operations(bench.device().run(LOOKED))
    for cut in (whole // 4, whole // 2, whole - 60):
        bench.serve("delta-2")
        device = bench.device()
        said = device.run(LOOKED, cut=(cut, cut))
        expect("rom: power cut" in said, f"power is cut in operation {cut} of {whole}", said)
        asked = len(bench.server.requests)
        said = device.run(LOOKED)
        ends_updated(device, said, new="https-more-2")
        expect(ranges(bench.server)[asked] == 0, "the patch is sent again from its first byte", repr(bench.server.requests))
        again = cut + operations(said) - whole
        expect(again <= SECTOR * AGAIN + BESIDES, f"what the slot held is not written again: {again} operations more", said)


def deltas_survive_power_cuts(bench, seeds=range(16)):
    for seed in seeds:
        bench.serve("delta-2")
        device = bench.device()
        device.run(LOOKED, cut=(20 + 47 * seed, seed))
        device.run(LOOKED, cut=(10 + 23 * seed, seed))
        ends_updated(device, device.run(LOOKED), new="https-more-2")


def an_update_by_delta_over_the_uart_is_tried_and_confirmed(bench):
    device = bench.device("flash-uart.bin")
    status, said, result = send(device, "uart-delta-2")
    expect(status == 0 and "version 1.2.0 is verified" in said, "the device takes it", f"{status} {said} {result}")
    expect("build 2 in slot B, confirmed, counter 2" in device.run(r"app: confirmed\n|counter 2\n") + device.run(r"counter 2\n"), "it is kept")
    expect(holds(device, "B", "uart-2"), "slot B holds build 2")


TESTS = [function for name, function in list(globals().items()) if callable(function) and getattr(function, "__module__", "") == __name__ and name != "operations"]
