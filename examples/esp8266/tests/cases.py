"""What the ESP8266 example promises; each function is a promise, and its name says which."""

import random
import re

from bench import LOOKED, ends_updated, expect, holds, ranges, refuses, send
from machine import file

CUTS = 64

# ---- updates -------------------------------------------------------------------------------------------------


def an_update_is_tried_confirmed_and_followed_by_the_next(bench):
    bench.serve("https-2")
    device = bench.device()
    said = device.run(LOOKED)
    order = [
        "boot: slot A, confirmed", "build 1 in slot A", "server authenticated", "version 1.2.0 is verified", "rst cause:3",
        "boot: slot B, on trial, attempt 1 of 3", "build 2 in slot B, on trial, attempt 1 of 3, counter 1", "app: confirmed",
        "app: up to date",
    ]
    expect(re.search(".*".join(map(re.escape, order)), said, re.S), "it happens in this order: " + ", ".join(order), said)
    ends_updated(device, said)
    bench.serve("https-3")
    said = device.run(LOOKED)
    expect("build 2 in slot B, confirmed, counter 2" in said, "build 2 was kept, its counter too", said)
    expect("build 3 in slot A, on trial" in said and "app: confirmed" in said, "build 3 is tried in slot A and kept", said)
    expect(holds(device, "A", "https-3") and holds(device, "B", "https-2"), "the slots hold builds 3 and 2")
    bench.serve("https-2")
    expect("app: no update: security counter too low" in device.run(LOOKED), "there is no way back to build 2")


def a_boot_stage_that_checks_signatures_starts_signed_images(bench):
    bench.serve("https-2")
    device = bench.device("flash-https-signatures.bin")
    ends_updated(device, device.run(LOOKED))


def a_boot_stage_that_checks_signatures_starts_no_other(bench):
    bench.serve("https-2")
    device = bench.device("flash-https-signatures.bin")
    ends_updated(device, device.run(LOOKED))
    with open(device.flash, "r+b") as flash:
        flash.seek(0x300000 - 1024 + 16 + 153 + 2 + 12 + 20)  # the signature of the image in slot B
        byte = flash.read(1)[0]
        flash.seek(-1, 1)
        flash.write(bytes([byte ^ 1]))
    # Nor is the other image, whose security counter is too low by now.
    device.run(r"boot: no slot holds an image that verifies")


def an_update_with_fragments_of_4_kib_works_too(bench):
    bench.serve("https-2")
    device = bench.device("flash-https-4k.bin")
    ends_updated(device, device.run(LOOKED), old="https-4k-1")


# ---- packages that are refused -------------------------------------------------------------------------------


def a_tampered_package_is_refused(bench):
    said = refuses(bench, "block is not the one that was signed", mishap="tampered")
    expect("again from byte" in said, "it was tried again, the damage might have been on the way", said)


def a_truncated_package_is_refused(bench):
    refuses(bench, "package ends early", package=file("https-2.lgu")[:100_000])


def an_older_package_is_refused(bench):
    refuses(bench, "security counter too low", package="older", requests=1)


def a_package_for_another_class_is_refused(bench):
    refuses(bench, "for another class", package="wrong-class", requests=1)


def a_package_signed_by_another_key_is_refused(bench):
    refuses(bench, "not signed by a trusted key", package="wrong-key", requests=1)


def an_outage_during_the_trial_is_waited_out(bench):
    bench.serve("https-2")
    device = bench.device()
    device.run(r"boot: slot B, on trial, attempt 1 of 3\n")
    bench.serve("https-2", mishap="not found", times=2)
    said = device.run(LOOKED)
    expect("app: not working: server has no such package" in said, "it noticed", said)
    expect("attempt 3" not in said, "no attempt was spent on it", said)
    ends_updated(device, said)


def what_is_no_package_is_refused(bench):
    refuses(bench, "not a package", package=b"<html>nothing here</html>" * 100, requests=1)


# ---- servers that are not the server -------------------------------------------------------------------------


def another_authoritys_server_gets_no_request(bench):
    refuses(bench, "server's certificate is not trusted", requests=0, certificate="wrong authority")


def a_server_of_another_name_gets_no_request(bench):
    refuses(bench, "server's certificate is for another name", requests=0, certificate="wrong name")


def a_server_whose_certificate_expired_before_the_image_was_built_gets_no_request(bench):
    refuses(bench, "server's certificate has expired", requests=0, certificate="expired")


def a_server_without_a_certificate_gets_not_one_byte_of_a_request(bench):
    refuses(bench, "server does not say who it is", requests=0, certificate="none")
    expect(bench.server.begged == 0, f"it was sent nothing, but {bench.server.begged} bytes")


# ---- servers that misbehave ----------------------------------------------------------------------------------


def a_server_that_ignores_range_costs_bytes_and_nothing_else(bench):
    bench.serve("https-2", mishap="range ignored")
    device = bench.device()
    said = device.run(LOOKED, cut=(400, 1))
    expect("power cut" in said, "power was cut in the middle", said)
    ends_updated(device, device.run(LOOKED))
    expect(any(ranges(bench.server)), "a Range was asked for, and ignored", repr(bench.server.requests))


def a_server_that_falls_silent_is_asked_again(bench):
    bench.serve("https-2", mishap="silent", times=1)
    device = bench.device()
    said = device.run(LOOKED)
    expect("connection lost; again from byte" in said, "it noticed", said)
    ends_updated(device, said)
    expect(ranges(bench.server)[1] > 40_000, "it went on where it was", repr(bench.server.requests))


def a_connection_cut_inside_a_record_is_resumed(bench):
    bench.serve("https-2", mishap="cut inside a record", times=2)
    device = bench.device()
    said = device.run(LOOKED)
    ends_updated(device, said)
    asked = ranges(bench.server)[:3]
    expect(asked[0] == 0 and asked[1] > 40_000 and asked[2] > 100_000, "each time it went on where it was", repr(asked))


def a_body_that_ends_early_is_resumed(bench):
    bench.serve("https-2", mishap="ended early", times=2)
    device = bench.device()
    ends_updated(device, device.run(LOOKED))
    expect(ranges(bench.server)[2] > 80_000, "it went on where it was", repr(bench.server.requests))


def damage_on_the_way_costs_one_block(bench):
    bench.serve("https-2", mishap="tampered", times=1)
    device = bench.device()
    said = device.run(LOOKED)
    ends_updated(device, said)
    expect(0 <= 60_000 - ranges(bench.server)[1] < 1100, "only the block was fetched again", repr(bench.server.requests))


def a_server_that_sends_a_byte_now_and_then_is_given_up(bench):
    bench.serve("https-2", mishap="drips")
    said = bench.device().run(r"app: connection lost; again from byte 0\n")
    expect("app: server authenticated" not in said, "it never proved who it is", said)


def garbage_instead_of_tls_is_survived(bench):
    bench.serve("https-2", mishap="garbage instead of TLS", times=2)
    device = bench.device()
    ends_updated(device, device.run(LOOKED))
    refuses(bench, "server does not speak TLS 1.3 as it should", mishap="garbage instead of TLS")


def garbage_instead_of_http_is_survived(bench):
    refuses(bench, "server does not speak HTTP", mishap="garbage instead of HTTP")


def answers_that_are_not_taken_are_named(bench):
    refuses(bench, "server redirects, which is not followed", mishap="redirect", requests=1)
    refuses(bench, "server has no such package", mishap="not found", requests=1)
    refuses(bench, "server sends chunks, which are not taken", mishap="chunked", requests=1)
    refuses(bench, "server's answer is not understood", mishap="endless header", requests=1)


# ---- images that fail ----------------------------------------------------------------------------------------


def _reverted(bench, package):
    bench.serve(package)
    device = bench.device()
    said = device.run(LOOKED)
    for attempt in (1, 2, 3):
        expect(f"boot: slot B, on trial, attempt {attempt} of 3" in said, f"it is tried the {attempt}. time", said)
    expect("boot: slot A, reverted" in said, "the old image comes back", said)
    expect("build 1 in slot A, reverted, counter 1" in said, "and knows why", said)
    expect("app: no update: failed on this device before" in said, "the bad image is not taken again", said)
    bench.serve("https-2")
    ends_updated(device, device.run(LOOKED))


def an_image_that_hangs_at_its_start_is_taken_back(bench):
    _reverted(bench, "https-hang")


def an_image_that_crashes_at_its_start_is_taken_back(bench):
    _reverted(bench, "https-crash")


def an_image_that_cannot_reach_its_server_is_taken_back(bench):
    bench.serve("https-2")
    device = bench.device()
    device.run(r"boot: slot B, on trial, attempt 1 of 3\n")
    bench.serve("https-2", certificate="wrong authority")
    said = device.run(LOOKED)
    expect("app: not working: server's certificate is not trusted" in said, "it does not work", said)
    expect("build 1 in slot A, reverted" in said, "the old image comes back", said)


# ---- power ---------------------------------------------------------------------------------------------------


def _cut_somewhere(bench, seed):
    """A life with one to three power cuts, each in a flash operation that is torn."""
    dice = random.Random(seed)
    bench.serve("https-2")
    device = bench.device()
    # A whole update takes some 800 operations; what decides is at its ends, and in the first boots.
    at = dice.choice([dice.randrange(1, 760), dice.randrange(1, 25), dice.randrange(795, 812)])
    cuts = 0
    while cuts < 3:
        said = device.run(LOOKED, cut=(at, seed + cuts))
        if "power cut" not in said:
            break
        cuts += 1
        at = dice.randrange(1, 400)
        if dice.random() < 0.5:
            break
    said = device.run(LOOKED)
    ends_updated(device, said)
    return cuts


def power_cuts_in_an_update_and_the_first_boots_lose_nothing(bench, seeds=range(CUTS)):
    cuts = sum(_cut_somewhere(bench, seed) for seed in seeds)
    expect(cuts >= len(seeds), f"there were {cuts} cuts in {len(seeds)} lives")


def an_update_goes_on_where_power_was_cut(bench):
    bench.serve("https-2")
    device = bench.device()
    expect("power cut" in device.run(LOOKED, cut=(500, 3)), "power was cut")
    ends_updated(device, device.run(LOOKED))
    asked = ranges(bench.server)
    expect(asked[0] == 0 and max(asked) > 60_000, "it asked for what was missing only", repr(asked))


# ---- UART ----------------------------------------------------------------------------------------------------


def _send(device, package, **options):
    status, said, result = send(device, package, **options)
    expect("VIOLATION" not in said and "app: panic" not in said, "the ROM has no objection", said)
    return status, said, result


def _confirmed(device):
    """The device has confirmed build 2, now or before the sender had gone."""
    return device.run(r"app: confirmed\n|build 2 in slot B, confirmed, counter 2\n")


def an_update_over_the_uart_is_tried_and_confirmed(bench):
    device = bench.device("flash-uart.bin")
    status, said, result = _send(device, "uart-2")
    expect(status == 0 and "version 1.2.0 is verified" in said, "the device takes it", f"{status} {said} {result}")
    said += _confirmed(device)
    expect("boot: slot B, on trial" in said and "build 2 in slot B" in said, "it is tried", said)
    expect("build 2 in slot B, confirmed, counter 2" in device.run(r"counter 2\n"), "it is kept")


def a_package_over_the_uart_for_another_class_is_refused(bench):
    device = bench.device("flash-uart.bin")
    status, said, _ = _send(device, "wrong-class")
    expect(status == 1 and "for another class" in said, "the sender is told", f"{status} {said}")


def an_update_over_the_uart_goes_on_where_power_was_cut(bench):
    device = bench.device("flash-uart.bin")
    status, said, _ = _send(device, "uart-2", cut=(250, 5))
    expect(status != 0 and "power cut" in said, "power was cut", f"{status} {said}")
    status, said, result = _send(device, "uart-2")
    expect(status == 0, "the device takes the rest", f"{status} {said} {result}")
    size = len(file("uart-2.lgu"))
    expect(result["bytes"] < size * 3 // 4, f"it asked for less than all {size} bytes", repr(result))
    _confirmed(device)


TESTS = [function for name, function in list(globals().items()) if callable(function) and getattr(function, "__module__", "") == __name__ and not name.startswith("_")]
