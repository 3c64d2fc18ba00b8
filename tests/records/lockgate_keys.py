#!/usr/bin/env python3
"""Decoder of the lockgate key store, version 1, written from docs/keys.md and docs/format.md alone. Prints one JSON
object: what each of the three places holds, and which of them count where there is no log."""
import argparse
import hashlib
import json
import struct
import uuid

from lockgate_records import number, numbers

MAGIC = bytes.fromhex("894C47550D0A1A0A")
MOST, CHECK = 992, 16
LENGTHS = {1: [16], 2: [16], 3: [4], 4: [1], 5: [1], 6: [65 * n for n in range(1, 9)]}


class NotWhole(Exception):
    pass


def need(condition, why):
    if not condition:
        raise NotWhole(why)


class Bytes:
    """Flash from a place's first byte on; what cannot be read spoils the place if it is asked for."""

    def __init__(self, flash, address, size, unreadable):
        self.flash, self.address, self.end, self.unreadable = flash, address, address + size, unreadable
        self.at = address

    def take(self, length, what):
        need(self.at + length <= self.end, f"{what} runs over the end")
        need(not any(self.at <= a < self.at + length for a in self.unreadable), f"{what} cannot be read")
        self.at += length
        return self.flash[self.at - length:self.at]


def elements(body):
    found, at, last = {}, 0, 0
    while at < len(body):
        need(at + 4 <= len(body), "element header")
        kind, length = struct.unpack_from("<HH", body, at)
        number, critical = kind & 0x7FFF, kind >= 0x8000
        at += 4 + length
        need(at <= len(body), f"element {number} runs over the end")
        need(number > last, f"element {number} is not in order")
        last = number
        if number in LENGTHS:
            need(critical and length in LENGTHS[number], f"element {number}")
            found[number] = body[at - length:at]
        else:
            need(not critical, f"element {number} is unknown and critical")
    need(len(found) == len(LENGTHS), "an element is missing")
    return found


def keys_of(value):
    keys = []
    for at in range(0, len(value), 65):
        roles, point = value[at], value[at + 1:at + 65]
        need(roles in (1, 2, 3), "roles")
        # Whether it is a point of the curve was found out when the set was taken.
        keys.append({"id": hashlib.sha256(b"\x04" + point).digest()[:8].hex(), "roles": roles, "point": point.hex()})
    ids = [key["id"] for key in keys]
    need(ids == sorted(set(ids)), "order of the keys")
    return keys


def signers(section):
    """The key ids of a place's ES256 entries: every one is of a signature that the device verified."""
    entries, at = [], 0
    while at < len(section):
        need(at + 12 <= len(section), "signature entry")
        algorithm, ident, length = struct.unpack_from("<H8sH", section, at)
        at += 12 + length
        need(at <= len(section) and (length == 64 if algorithm == 1 else length >= 1), "signature entry")
        entries.append((algorithm, ident))
    need(1 <= len(entries) <= 32 and entries == sorted(set(entries)), "order of the signature entries")
    return [ident.hex() for algorithm, ident in entries if algorithm == 1]


def read_place(flash, address, vendor, kind, unreadable=()):
    """What a whole place holds."""
    data = Bytes(flash, address, 1024, unreadable)
    prelude = data.take(16, "prelude")
    magic, version, object_type, zero1, length, zero2 = struct.unpack("<8sBBHHH", prelude)
    need((magic, version, object_type, zero1, zero2) == (MAGIC, 1, 1, 0, 0), "prelude")
    need(127 <= length <= 1024, "body length")
    body = data.take(length, "body")
    count = data.take(2, "signature section")
    size = 16 + length + 2 + int.from_bytes(count, "little")
    need(size <= MOST, f"a set of {size} bytes")
    section = data.take(int.from_bytes(count, "little"), "signature section")
    stored = b"LGK1" + prelude + body + count + section
    need(data.take(CHECK, "check") == hashlib.sha256(stored).digest()[:CHECK], "check")
    known = elements(body)
    need((known[1], known[2]) == (vendor, kind), "another vendor or class")
    number, sign, rotate = (int.from_bytes(known[n], "little") for n in (3, 4, 5))
    need(number >= 1, "version 0")
    keys = keys_of(known[6])
    for role, threshold in ((1, sign), (2, rotate)):
        need(1 <= threshold <= sum(bool(key["roles"] & role) for key in keys), "threshold")
    return {"version": number, "sign_threshold": sign, "rotate_threshold": rotate, "keys": keys,
            "signers": signers(section), "size": size}


def decode(flash, places, vendor, kind, unreadable=()):
    found = []
    for address in places:
        try:
            found.append({"whole": True, **read_place(flash, address, vendor, kind, unreadable)})
        except NotWhole as why:
            found.append({"whole": False, "why": str(why)})
    whole = [(-place["version"], number) for number, place in enumerate(found, 1) if place["whole"]]
    # docs/keys.md, section 4, of an application, or of a boot stage that finds an image under the highest.
    return {"places": found, "without_log": min(whole)[1] if whole else 0}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("flash", help="file that holds the flash from address 0 on")
    parser.add_argument("--places", type=numbers, required=True, help="addresses of the three places, with commas")
    parser.add_argument("--vendor", type=uuid.UUID, required=True)
    parser.add_argument("--class", type=uuid.UUID, required=True, dest="kind")
    parser.add_argument("--unreadable", type=numbers, default=[], help="addresses that read as an error")
    args = parser.parse_args()
    with open(args.flash, "rb") as file:
        flash = file.read()
    if len(args.places) != 3 or len(flash) < max(args.places) + 1024:
        parser.error("three places within the file")
    print(json.dumps(decode(flash, args.places, args.vendor.bytes, args.kind.bytes, args.unreadable)))


if __name__ == "__main__":
    main()
