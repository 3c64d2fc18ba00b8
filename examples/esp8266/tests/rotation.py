"""What the ESP8266 example promises of keys that change in the field: the server's next package brings key set 1, by which the key that
signed build 1 counts no longer. Each function is a promise."""

import hashlib
import re
import subprocess

from bench import LOCKGATE, LOOKED, ends_updated, expect, send
from machine import OUT

# ../board/src/device.rs
RECORDS, KEYS, PLACE = range(0x10000, 0x18000), 0x18000, 0x1000

# A device whose records were lost is another kind: its boot stage has more to do.
WITHOUT_RECORDS = " without records"

REVOKED = "app: no update: not signed by a trusted key"


def _rotated(bench, flash="flash-https.bin"):
    """A device that has taken key set 1 and build 2, and has kept both."""
    bench.serve("rotated-2")
    device = bench.device(flash)
    said = device.run(LOOKED)
    ends_updated(device, said)
    expect(said.count("app: trusts key set 1\n") == 2, "it trusts the new keys, and does after the reset", said)
    return device, said


def _goes_by_the_new_keys(bench, device):
    """It takes nothing that the old key has signed, and what the new one has."""
    bench.serve("https-3")
    said = device.run(LOOKED)
    expect(REVOKED in said and "rst cause:3" not in said, "what the revoked key has signed is refused, and it says why", said)
    expect(len(bench.server.requests) == 1, "once is enough", repr(bench.server.requests))
    bench.serve("next-3")
    said = device.run(LOOKED)
    expect("build 3 in slot A, on trial" in said and "app: confirmed" in said, "the new key's build 3 is tried and kept", said)


def _stored(device, place):
    """The key set in a place of the key store, if it is whole."""
    with open(device.flash, "rb") as flash:
        flash.seek(KEYS + (place - 1) * PLACE)
        content = flash.read(1024)
    body = 16 + int.from_bytes(content[12:14], "little")
    end = body + 2 + int.from_bytes(content[body:body + 2], "little")
    whole = content[end:end + 16] == hashlib.sha256(b"LGK1" + content[:end]).digest()[:16]
    return content[:end] if whole else None


def _erase_records(device):
    with open(device.flash, "r+b") as flash:
        flash.seek(RECORDS.start)
        flash.write(b"\xff" * len(RECORDS))
    device.kind += WITHOUT_RECORDS


def a_package_brings_new_keys_and_an_update_that_they_signed(bench):
    device, said = _rotated(bench)
    order = [
        "build 1 in slot A", "server authenticated", "signature checked", "signature checked", "trusts key set 1", "version 1.2.0 is verified",
        "boot: slot B, on trial, attempt 1 of 3", "app: confirmed", "app: up to date",
    ]
    expect(re.search(".*".join(map(re.escape, order)), said, re.S), "it happens in this order: " + ", ".join(order), said)
    expect(_stored(device, 1) == (OUT / "keys" / "keys-1.lgk").read_bytes(), "the set is in the key store, as it was signed")


def a_package_signed_by_a_revoked_key_is_refused(bench):
    device, _ = _rotated(bench)
    _goes_by_the_new_keys(bench, device)


def keys_that_nobody_has_announced_sign_nothing(bench):
    bench.serve("next-3")
    device = bench.device()
    expect(REVOKED in device.run(LOOKED), "the new key's package without the key set is refused")
    bench.serve("https-2")
    ends_updated(device, device.run(LOOKED))


def power_cuts_while_a_key_set_is_stored_lose_nothing(bench):
    cuts = set()
    for seed in range(12):
        bench.serve("rotated-2")
        device = bench.device()
        # The erase, two writes of the set, and what the records say before and after.
        said = device.run(LOOKED, cut=(6 + seed % 6, seed))
        cut = re.search(r"rom: power cut in an? (\w+) at (0x\w+)", said)
        expect(cut, "power was cut", said)
        if int(cut[2], 16) >= KEYS:
            cuts.add(cut.groups())
        ends_updated(device, device.run(LOOKED))
        expect(_stored(device, 1), "the set is in the key store")
        bench.serve("https-3")
        expect(REVOKED in device.run(LOOKED), "the old key is revoked")
    want = {("erase", f"{KEYS:#x}"), ("write", f"{KEYS:#x}"), ("write", f"{KEYS + 0x100:#x}")}
    expect(want <= cuts, f"power was cut in the erase and in each write of the key store, not only in {sorted(cuts)}")


def a_boot_stage_that_checks_signatures_goes_by_the_new_keys(bench):
    device, _ = _rotated(bench, "flash-https-signatures.bin")
    _goes_by_the_new_keys(bench, device)
    expect("boot: slot A, confirmed" in device.run(LOOKED), "it starts the new key's image")


def a_device_that_lost_its_records_keeps_its_keys(bench):
    for flash in ("flash-https.bin", "flash-https-signatures.bin"):
        device, _ = _rotated(bench, flash)
        _erase_records(device)
        expect("boot: slot B, confirmed" in device.run(r"app: build 2 in slot B"), "the boot stage finds the newer image")
        _goes_by_the_new_keys(bench, device)


def keys_that_somebody_wrote_into_flash_are_not_believed(bench):
    """By a boot stage that checks signatures, that is; there the rotate keys built in are the root."""
    other, forged = OUT / "keys" / "other.pem", bench.directory / "forged-1.lgk"
    description = (OUT / "keys" / "keys-0.json").read_text()
    names = [re.search(rf'"{name}": "([^"]+)"', description)[1] for name in ("vendor", "class")]
    for arguments in (
        ["new", "--vendor", names[0], "--class", names[1], "--sign", other, "--rotate", other, "-o", bench.directory / "forged-0.json"],
        # A set that changes nothing is not made.
        ["rotate", bench.directory / "forged-0.json", "--add-sign", OUT / "keys" / "next.pub.pem", "--key", other, "-o", forged],
    ):
        subprocess.run([LOCKGATE, "keys", *arguments], check=True, capture_output=True)
    device, content = bench.device("flash-https-signatures.bin"), forged.read_bytes()
    with open(device.flash, "r+b") as flash:
        flash.seek(KEYS)
        flash.write(content + hashlib.sha256(b"LGK1" + content).digest()[:16])
    _erase_records(device)
    expect(_stored(device, 1) == content, "the forged set is in the key store")
    bench.serve("wrong-key")
    expect(REVOKED in device.run(LOOKED), "its key signs nothing")
    bench.serve("https-2")
    ends_updated(device, device.run(LOOKED))


def new_keys_come_over_the_uart_too(bench):
    device = bench.device("flash-uart.bin")
    status, said, result = send(device, "uart-rotated-2")
    expect(status == 0 and "trusts key set 1" in said and "version 1.2.0 is verified" in said, "the device takes them", f"{status} {said} {result}")
    device.run(r"app: confirmed\n|build 2 in slot B, confirmed, counter 2\n")
    status, said, _ = send(device, "uart-3")
    expect(status == 1 and "not signed by a trusted key" in said, "the sender is told that its key is revoked", f"{status} {said}")


TESTS = [function for name, function in list(globals().items()) if callable(function) and getattr(function, "__module__", "") == __name__ and not name.startswith("_")]
