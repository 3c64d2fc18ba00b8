#!/usr/bin/env python3
"""A small writer of the record log (docs/records.md), torn writes included, and tests of lockgate_records.py on it;
and one of the key store (docs/keys.md), whose signatures are none, and tests of lockgate_keys.py."""
import hashlib
import json
import random
import struct
import subprocess
import sys
import tempfile
import unittest
import uuid

import lockgate_keys as store
import lockgate_records as decoder

SIZE = 4096


def state(strides, start=1, phase=0, slot=0, step=0, reason=0, keys=0, base=0):
    return struct.pack("<BBHIIBBHIBB32s16s16sBB", 2, strides, start, 7, 8, phase, slot, step, 0, 0, reason,
                       bytes(range(32)), b"i" * 16, b"f" * 16, keys, base)


def checkpoint(strides, start=1, offset=4096):
    return struct.pack("<BBHII32s", 3, strides, start, offset, offset, b"h" * 32)


def header(unit, generation, strides=1, version=1, magic=b"LGRL", before=0, note=0):
    return struct.pack("<BBBBI4sIHH", 1, strides, version, unit, generation, magic, before, note, 0)


class Writer:
    def __init__(self, unit, erased=0xFF, sectors=2, size=SIZE):
        self.unit, self.erased, self.base, self.size = unit, erased, 64, size
        self.stride = 64 if unit <= 8 else 128
        self.per = self.stride // unit - 1
        self.full, self.blank = bytes([erased ^ 0xFF]) * unit, bytes([erased]) * unit
        self.sizes = [size] * sectors
        self.flash = bytearray([erased]) * (self.base + size * sectors)
        self.state = self.least(88)

    def seal(self, length):
        return -(-(length + 4) // self.unit)

    def least(self, length):
        return self.seal(length) // self.per + 1

    def place(self, sector, stride, p):
        return self.base + sector * self.size + (stride + p // self.per) * self.stride + (1 + p % self.per) * self.unit

    def program(self, address, data):
        assert self.flash[address:address + self.unit] == self.blank, "programmed twice"
        self.flash[address:address + self.unit] = data

    def steps(self, sector, stride, payload, generation, ticks=0):
        """(address, data) of each unit programmed, in order."""
        check = hashlib.sha256(b"LGR1" + struct.pack("<IH", generation, stride) + payload).digest()[:4]
        body = payload + check
        body += bytes(-len(body) % self.unit)
        units = [body[i:i + self.unit] for i in range(0, len(body), self.unit)] + [self.full] * (1 + ticks)
        fences = [(self.place(sector, stride + i, 0) - self.unit, self.full) for i in range(self.least(len(payload)))]
        return fences + [(self.place(sector, stride, p), data) for p, data in enumerate(units)]

    def write(self, *args, cut=None, torn=0.5, **more):
        for i, (address, data) in enumerate(self.steps(*args, **more)):
            if i == cut:
                rng = random.Random(0)
                mask = bytes(sum((rng.random() < torn) << b for b in range(8)) for _ in data)
                data = bytes(((d ^ self.erased) & m) ^ self.erased for d, m in zip(data, mask))
            self.program(address, data)
            if i == cut:
                return

    def open(self, sector, generation, first_state, kept=None, before=0, note=0):
        stride = 0
        head = header(self.unit, generation, before=before, note=note)
        for payload in filter(None, (head, kept, first_state)):
            self.write(sector, stride, payload, generation)
            stride += payload[1]
        return stride

    def decode(self, unreadable=()):
        return decoder.decode(bytes(self.flash), self.base, self.sizes, self.unit, self.erased, unreadable)


def each():
    return (Writer(unit, erased) for unit in (4, 8, 16, 32) for erased in (0xFF, 0x00))


class Test(unittest.TestCase):
    def test_the_highest_generation_holds(self):
        for w in each():
            w.open(0, 1, state(w.state), checkpoint(w.least(44), 1))
            w.open(1, 2, state(w.state, start=2, phase=1, slot=1, reason=5), checkpoint(w.least(44), 2, 8192))
            r = w.decode()
            keys = "start", "phase", "slot", "security_counter", "next_counter", "update"
            self.assertEqual([r["state"][k] for k in keys], [2, "receiving", "B", 7, 8, bytes(range(32)).hex()])
            self.assertEqual((r["current"], r["durable"], r["checkpoint"]["offset"]), (1, True, 8192))
            self.assertEqual([x["kind"] for x in r["sectors"][0]["records"]], ["header", "checkpoint", "state"])
            self.assertEqual(r["sectors"][0]["used"], 1 + w.state + w.least(44))

    def test_an_only_state_does_not_hold_once_another_opening_was_noted(self):
        for w in each():
            w.open(0, 1, state(w.state))
            note = w.base + w.size - w.stride
            w.program(note, w.full)
            second = w.open(1, 2, state(w.state, start=2), before=1, note=0)
            self.assertEqual(w.decode()["current"], 1)
            w.program(note + w.unit, w.full)
            self.assertEqual(w.decode()["current"], 0, "the sector may be half erased")
            w.write(1, second, state(w.state, start=3), 2)
            r = w.decode()
            self.assertEqual((r["current"], r["state"]["start"], r["durable"]), (1, 3, True))

    def test_ticks_add_to_the_step_of_an_exchange_alone(self):
        for v in each():
            n = v.state + 2
            for phase in range(6):
                for ticks in {0, 1, 2, n * v.per - v.seal(88) - 1}:
                    w = Writer(v.unit, v.erased)
                    w.write(0, w.open(0, 1, state(w.state)), state(n, phase=phase, step=10), 1, ticks=ticks)
                    self.assertEqual(w.decode()["state"]["step"], 10 + (ticks if phase in (3, 5) else 0))

    def test_a_cut_record_holds_once_its_body_is_whole(self):
        for w in each():
            payload = state(w.state + 1, start=2, phase=5, step=4)
            total = len(w.steps(0, 1 + w.state, payload, 1, ticks=1))
            seal = w.state + w.seal(88)
            for cut in range(total):
                for torn in (0.0, 0.5, 1.0):
                    v = Writer(w.unit, w.erased)
                    v.write(0, v.open(0, 1, state(w.state)), payload, 1, ticks=1, cut=cut, torn=torn)
                    r = v.decode()
                    whole = cut >= seal or (cut == seal - 1 and torn == 1.0)
                    self.assertEqual(r["state"]["start"], 2 if whole else 1, (cut, torn))
                    self.assertEqual(r["durable"], not whole or cut > seal or (cut == seal and torn > 0))
                    if whole:
                        self.assertEqual(r["state"]["step"], 4 + (cut > seal and torn > 0))

    def test_a_record_that_comes_to_light_is_given_neither_seal_nor_ticks_by_another(self):
        """The last body unit reads blank at the writer's boot and whole at the next. The fences kept the places up to
        the seal free; those of ticks were given to a second record, which was cut or was not."""
        for w in each():
            at, last = w.open(0, 1, state(w.state)), w.state + w.seal(88) - 1
            late = state(w.state + 4, start=2, phase=3, step=10)
            w.write(0, at, late, 1, cut=last, torn=0)
            r = w.decode()
            self.assertEqual((r["state"]["start"], r["sectors"][0]["used"]), (1, at + w.state))
            before = w.flash[:]
            for cut, want in ((last, (2, 10, False)), (None, (3, 0, True))):
                w.flash[:] = before
                w.write(0, at + w.state, state(w.state, start=3), 1, cut=cut)
                w.program(*w.steps(0, at, late, 1)[last])
                r = w.decode()
                self.assertEqual((r["state"]["start"], r["state"]["step"], r["durable"]), want)

    def test_the_strides_of_body_and_seal_begin_no_other_record(self):
        w = Writer(32)
        at = w.open(0, 1, state(2))
        self.assertEqual(w.place(0, at, w.seal(88)), w.place(0, at + 1, 0))
        w.write(0, at, state(2, start=2, phase=1), 1, cut=w.state + w.seal(88) - 1, torn=1)
        for address, data in w.steps(0, at + 1, checkpoint(1, start=2), 1)[1:]:
            w.program(address, data)
        r = w.decode()
        self.assertEqual((r["state"]["start"], r["durable"], r["checkpoint"]), (2, True, None))
        w.flash[w.place(0, at, 0)] ^= 1
        self.assertEqual([x["stride"] for x in w.decode()["sectors"][0]["records"]], [0, 1, at + 1])

    def test_a_unit_that_cannot_be_read_spoils_only_what_it_holds(self):
        for w in each():
            at, seal = w.open(0, 1, state(w.state)), w.seal(88)
            w.write(0, at, state(w.state, start=2), 1)
            fence = w.base + at * w.stride
            for address, start in ((fence, 2), (w.place(0, at, seal), 2), (w.place(0, at, 0), 1),
                                   (w.place(0, at, seal - 1) + w.unit - 1, 1), (w.place(0, 0, 0), None)):
                r = w.decode([address])
                self.assertEqual(r["state"] and r["state"]["start"], start)
            r = w.decode([w.base + (at + w.state + 1) * w.stride])
            self.assertEqual((r["sectors"][0]["used"], r["state"]["start"]), (at + w.state + 1, 2))

    def test_ticks_need_a_seal_and_one_that_cannot_be_read_is_one(self):
        w = Writer(8)
        at, seal = w.open(0, 1, state(2)), w.seal(88)
        w.write(0, at, state(4, start=2, phase=3), 1)
        w.program(w.place(0, at, seal + 3), bytes(8))
        self.assertEqual(w.decode()["state"]["step"], 3)
        self.assertEqual(w.decode([w.place(0, at, seal + 4)])["state"]["step"], 4)
        w.flash[w.place(0, at, seal):w.place(0, at, seal) + 8] = w.blank
        for unreadable, want in (([], (0, False)), ([w.place(0, at, seal)], (3, True))):
            r = w.decode(unreadable)
            self.assertEqual((r["state"]["step"], r["durable"]), want)

    def test_only_the_last_checkpoint_of_the_states_start_holds(self):
        for w in each():
            at = w.open(0, 1, state(w.state, phase=1), checkpoint(w.least(44), 1, 512))
            w.write(0, at, checkpoint(w.least(44), 1, 1024), 1)
            self.assertEqual(w.decode()["checkpoint"]["offset"], 1024)
            at += w.least(44)
            w.write(0, at, checkpoint(w.least(44), 2, 0), 1)
            self.assertEqual(w.decode()["checkpoint"]["offset"], 1024, "the new pair lacks its state")
            w.write(0, at + w.least(44), state(w.state, start=2, phase=1), 1)
            self.assertEqual(w.decode()["checkpoint"]["offset"], 0)

    def test_a_sector_without_a_state_does_not_count(self):
        for w in each():
            w.open(0, 4, state(w.state))
            w.write(1, 0, header(w.unit, 5), 5)
            w.write(1, 1, checkpoint(w.least(44)), 5)
            self.assertEqual((w.decode()["current"], w.decode()["sectors"][1]["generation"]), (0, 5))

    def test_small_sectors_are_taken_together(self):
        w = Writer(4, sectors=2, size=1024)
        w.open(1, 1, state(2))
        w.sizes = [256] * 8
        self.assertEqual((len(w.decode()["sectors"]), w.decode()["current"]), (2, 1))

    def test_what_the_tables_do_not_have_makes_a_record_invalid(self):
        def holds(payload, stride=1, generation=1, head=header(4, 1)):
            w = Writer(4)
            w.write(0, 0, head, struct.unpack_from("<I", head, 4)[0])
            w.write(0, stride, payload, generation)
            return w.decode()["state"] is not None
        self.assertTrue(holds(state(2)))
        for strides in (0, 1):
            self.assertFalse(holds(state(strides)), "too small")
        self.assertTrue(holds(state(61), stride=2), "up to the notes")
        self.assertFalse(holds(state(63), stride=2), "beyond it")
        for field in ("keys", "base", "phase", "slot", "reason"):
            self.assertFalse(holds(state(2, **{field: 6})), field)
        for field, value in (("keys", 4), ("keys", 0x81), ("base", 4), ("base", 0x84), ("base", 0x40)):
            self.assertFalse(holds(state(2, **{field: value})), (field, value))
        for kind in (0, 1, 4, 255):
            self.assertFalse(holds(bytes([kind]) + state(2)[1:]))
        self.assertFalse(holds(state(2), generation=2), "another generation's check")
        for head in (header(8, 1), header(4, 1, magic=b"LGRX"), header(4, 1, version=2)):
            self.assertFalse(holds(state(2), head=head), head)
        self.assertFalse(holds(state(2), generation=0, head=header(4, 0)))
        (w := Writer(4)).open(0, 1, state(2))
        w.flash[w.base + 3 * 64:w.base + 5 * 64] = w.flash[w.base + 64:w.base + 3 * 64]
        self.assertEqual(len(w.decode()["sectors"][0]["records"]), 2, "a copy in another stride")

    def test_a_state_names_two_places_of_the_key_store(self):
        for keys in range(4):
            for base in range(4):
                for older in (False, True):
                    (w := Writer(4)).open(0, 1, state(2, keys=keys, base=base | older << 7))
                    r = w.decode()["state"]
                    self.assertEqual((r["keys"], r["base"], r["older"]), (keys, base, older))

    def test_neither_blank_flash_nor_noise_is_a_record(self):
        rng = random.Random(5)
        for w in each():
            self.assertEqual([(s["records"], s["used"]) for s in w.decode()["sectors"]], [([], 0)] * 2)
            for _ in range(20):
                w.flash[:] = rng.getrandbits(8 * len(w.flash)).to_bytes(len(w.flash), "little")
                self.assertIsNone(w.decode()["current"])
            w = Writer(w.unit, w.erased)
            at = w.base + w.open(0, 1, state(w.state)) * w.stride
            w.flash[at:] = bytes(rng.choice((0, 2, 3, 1, 255, rng.randrange(256))) for _ in range(len(w.flash) - at))
            self.assertEqual(w.decode()["state"]["start"], 1)

    def test_the_command_line_says_what_decode_does(self):
        w = Writer(8, 0x00)
        w.open(1, 3, state(2, start=9))
        with tempfile.NamedTemporaryFile(suffix=".bin") as file:
            file.write(w.flash)
            file.flush()
            run = [sys.executable, decoder.__file__, file.name, "--start", "0x40", "--sectors", "4096,0x1000",
                   "--unit", "8", "--erased", "0x00"]
            self.assertEqual(json.loads(subprocess.check_output(run)), w.decode())
            r = json.loads(subprocess.check_output(run + ["--unreadable", f"{w.place(1, 1, 0):#x},64"]))
            self.assertEqual(r, w.decode([w.place(1, 1, 0), 64]))


VENDOR, CLASS = bytes(range(16)), bytes(range(16, 32))
POINTS = sorted((bytes([n]) * 64 for n in range(9)), key=lambda point: hashlib.sha256(b"\x04" + point).digest())
IDS = [hashlib.sha256(b"\x04" + point).digest()[:8] for point in POINTS]


def element(kind, value):
    return struct.pack("<HH", kind, len(value)) + value


def body(version=1, sign=1, rotate=1, keys=((3, 0),), vendor=VENDOR, kind=CLASS, more=b"", number=6):
    listed = b"".join(bytes([roles]) + POINTS[key] for roles, key in keys)
    parts = (1, vendor), (2, kind), (3, struct.pack("<I", version)), (4, bytes([sign])), (5, bytes([rotate]))
    return b"".join(element(0x8000 | n, value) for n, value in parts) + element(0x8000 | number, listed) + more


def section(signers=(0,), length=64, algorithm=1):
    entries = b"".join(struct.pack("<H8sH", algorithm, IDS[k], length) + bytes(length) for k in signers)
    return struct.pack("<H", len(entries)) + entries


def key_set(content, signed=None, magic=store.MAGIC, kind=1):
    return struct.pack("<8sBBHHH", magic, 1, kind, 0, len(content), 0) + content + (signed or section())


def place(stored):
    return stored + hashlib.sha256(b"LGK1" + stored).digest()[:16]


class KeyStore(unittest.TestCase):
    def read(self, *contents, unreadable=()):
        flash = b"".join(content.ljust(1024, b"\xff") for content in contents)
        flash = flash.ljust(3 * 1024, b"\xff")
        return store.decode(flash, (0, 1024, 2048), VENDOR, CLASS, unreadable)

    def whole(self, stored):
        return self.read(place(stored))["places"][0]["whole"]

    def test_a_whole_place_says_its_set_and_who_signed_it(self):
        content = body(version=7, sign=1, rotate=2, keys=((1, 0), (2, 3), (3, 5)))
        found = self.read(b"", place(key_set(content, section((2, 5)))))
        self.assertEqual([p["whole"] for p in found["places"]], [False, True, False])
        second = found["places"][1]
        self.assertEqual((second["version"], second["sign_threshold"], second["rotate_threshold"]), (7, 1, 2))
        self.assertEqual([(k["id"], k["roles"]) for k in second["keys"]],
                         [(IDS[0].hex(), 1), (IDS[3].hex(), 2), (IDS[5].hex(), 3)])
        self.assertEqual(second["signers"], [IDS[2].hex(), IDS[5].hex()])

    def test_without_a_log_the_highest_version_counts_and_of_equal_ones_the_lowest_place(self):
        one, two = place(key_set(body(version=1))), place(key_set(body(version=2)))
        for contents, want in (((), 0), ((b"", one), 2), ((one, two), 2), ((two, one), 1), ((one, two, two), 2)):
            self.assertEqual(self.read(*contents)["without_log"], want)

    def test_a_set_has_992_bytes_at_most_and_no_least_size(self):
        filler = element(7, bytes(992 - 221 - 4))
        self.assertEqual(len(key_set(body())), 221)
        self.assertTrue(self.whole(key_set(body(more=filler))))
        self.assertFalse(self.whole(key_set(body(more=filler[:2] + struct.pack("<H", 768) + bytes(768)))))
        self.assertTrue(self.whole(key_set(body(), section(length=63, algorithm=2))))
        self.assertTrue(self.whole(key_set(body(), section(length=64, algorithm=2))))

    def test_every_bit_of_the_set_and_its_check_counts_and_nothing_behind(self):
        stored = place(key_set(body(), section((0, 1))))
        for at in range(len(stored)):
            bad = stored[:at] + bytes([stored[at] ^ 1 << at % 8]) + stored[at + 1:]
            self.assertFalse(self.read(bad)["places"][0]["whole"], at)
            self.assertFalse(self.read(stored, unreadable=[at])["places"][0]["whole"], at)
        self.assertTrue(self.read(stored + b"fill", unreadable=[len(stored)])["places"][0]["whole"])

    def test_a_body_that_breaks_a_rule_makes_its_place_not_whole(self):
        for good in (body(), body(sign=2, rotate=1, keys=((1, 0), (3, 1))), body(more=element(14, b""))):
            self.assertTrue(self.whole(key_set(good)))
        eight = tuple((3, n) for n in range(8))
        self.assertTrue(self.whole(key_set(body(keys=eight), section((0, 1)))))
        for bad in (body(version=0), body(sign=0), body(sign=2), body(rotate=0), body(rotate=2), body(keys=()),
                    body(keys=((0, 0), (3, 1))), body(keys=((4, 0), (3, 1))), body(keys=((3, 1), (3, 0))),
                    body(keys=((3, 1), (3, 1))), body(keys=eight + ((3, 8),)), body(keys=((1, 0),)),
                    body(keys=((2, 0),)), body(vendor=CLASS), body(kind=VENDOR), body(more=element(0x8007, b"")),
                    body(more=element(6, b"")), body(more=element(7, b"") * 2), body(more=b"\x07\0\1"),
                    body(more=element(7, b"xy")[:-1]), body()[20:] + element(7, bytes(20)), body(number=7)):
            self.assertFalse(self.whole(key_set(bad)), bad.hex())

    def test_prelude_and_entries_keep_the_rules(self):
        self.assertFalse(self.whole(key_set(body(), magic=b"LGU.....")))
        self.assertFalse(self.whole(key_set(body(), kind=2)))
        for signers in ((1, 0), (1, 1)):
            self.assertFalse(self.whole(key_set(body(), section(signers))))
        self.assertFalse(self.whole(key_set(body(), section((0, 1), length=65))))

    def test_the_command_line_says_what_decode_does(self):
        stored = place(key_set(body())).ljust(1024, b"\0")
        with tempfile.NamedTemporaryFile(suffix=".bin") as file:
            file.write(bytes(64) + stored * 3)
            file.flush()
            run = [sys.executable, store.__file__, file.name, "--places", "64,0x440,2112",
                   "--vendor", str(uuid.UUID(bytes=VENDOR)), "--class", str(uuid.UUID(bytes=CLASS))]
            self.assertEqual(json.loads(subprocess.check_output(run)), self.read(stored, stored, stored))
            r = json.loads(subprocess.check_output(run + ["--unreadable", "64"]))
            self.assertEqual([p["whole"] for p in r["places"]], [False, True, True])


if __name__ == "__main__":
    unittest.main()
