#!/usr/bin/env python3
"""Decoder of the lockgate record log, version 1, written from docs/records.md alone. Prints one JSON object."""
import argparse
import hashlib
import json
import struct

KINDS = {1: "header", 2: "state", 3: "checkpoint", 4: "compressed"}
LENGTHS = {"header": 20, "state": 88, "checkpoint": 44, "compressed": 52}
PHASES = ("confirmed", "receiving", "pending", "swapping", "trial", "reverting")
LEAST_SECTOR = 1024


def header_fields(payload):
    version, unit, generation, magic, before, note, reserved = struct.unpack("<2xBBI4sIHH", payload)
    good = (version, magic, reserved) == (1, b"LGRL", 0) and 0 < generation < 0xFFFFFFFF
    return {"version": version, "unit": unit, "generation": generation, "before": before, "note": note} if good else None


def state_fields(payload):
    (start, counter, next_counter, phase, slot, step, extent, limit, reason, update, image, failed,
     keys, base) = struct.unpack("<2xHIIBBHIBB32s16s16sBB", payload)
    base, older = base & 0x7F, base > 0x7F
    if phase > 5 or slot > 1 or reason > 5 or keys > 3 or base > 3:
        return None
    return {"start": start, "security_counter": counter, "next_counter": next_counter, "phase": PHASES[phase],
            "slot": "AB"[slot], "step": step, "extent": extent, "limit": limit, "reason": reason,
            "update": update.hex(), "image": image.hex(), "failed": failed.hex(),
            "keys": keys, "base": base, "older": older}


def checkpoint_fields(payload):
    start, offset, made_of, block_hash = struct.unpack("<2xHII32s", payload)
    return {"start": start, "offset": offset, "payload": made_of, "hash": block_hash.hex()}


def compressed_fields(payload):
    return {**checkpoint_fields(payload[:44]), "token": payload[44:].hex()}


FIELDS = {"header": header_fields, "state": state_fields, "checkpoint": checkpoint_fields,
          "compressed": compressed_fields}


class Sector:
    """One sector of the log: a list of strides, each a list of units; a unit is bytes, or None if it cannot be read."""

    def __init__(self, data, address, unit, erased, unreadable):
        self.unit = unit
        self.blank = bytes([erased]) * unit
        self.per = (64 if unit <= 8 else 128) // unit
        bad = {(a - address) // unit for a in unreadable}
        units = [None if i in bad else data[i * unit:(i + 1) * unit] for i in range(len(data) // unit)]
        self.strides = [units[i:i + self.per] for i in range(0, len(units), self.per)][:0x8000]
        self.notes = self.strides.pop()
        self.generation = None
        self.records = self.read_records()
        self.states = [r for r in self.records if r["kind"] == "state"]

    def read_records(self):
        header = self.read_record(0)
        if not header or header["fields"]["unit"] != self.unit:
            return []
        self.generation = header["fields"]["generation"]
        records, stride = [header], 1
        while stride < len(self.strides):
            record = self.read_record(stride)
            stride += 1
            if record:
                records.append(record)
                # The strides of its ticks alone may have been given to another record.
                stride = record["stride"] + self.seal(record["kind"]) // (self.per - 1) + 1
        return records

    def seal(self, kind):
        return -(-(LENGTHS[kind] + 4) // self.unit)

    def read_record(self, first):
        """The valid record that begins at a stride, or None."""
        fence, start = self.strides[first][:2]
        kind, end = (KINDS.get(start[0]), first + start[1]) if start else (None, first)
        if fence == self.blank or not kind or (kind == "header") != (first == 0) or end > len(self.strides):
            return None
        places = [u for s in self.strides[first:end] for u in s[1:]]
        seal, length = self.seal(kind), LENGTHS[kind]
        if seal >= len(places) or None in places[:seal]:
            return None
        body = b"".join(places[:seal])
        payload, check = body[:length], body[length:length + 4]
        generation = payload[4:8] if kind == "header" else struct.pack("<I", self.generation)
        if check != hashlib.sha256(b"LGR1" + generation + struct.pack("<H", first) + payload).digest()[:4]:
            return None
        if not (fields := FIELDS[kind](payload)):
            return None
        durable = places[seal] != self.blank
        ticks = max((i for i, u in enumerate(places[seal + 1:], 1) if durable and u != self.blank), default=0)
        return {"stride": first, "kind": kind, "fields": fields, "durable": durable, "ticks": ticks}

    def is_used(self, stride):
        return any(u != self.blank for u in stride)

    def counts(self, sectors):
        """Whether the sector's states hold: an only one does not, if another opening was noted after its own."""
        if len(self.states) != 1 or not (before := self.records[0]["fields"]["before"]):
            return bool(self.states)
        behind = self.records[0]["fields"]["note"] + 1
        return not any(self.is_used(c.notes[behind:]) for c in sectors if c.generation == before)

    def report(self, sectors):
        used = sum(map(self.is_used, self.strides))
        return {"counts": self.counts(sectors), "generation": self.generation, "records": self.records,
                "used": used, "free": len(self.strides) - used}


def log_sectors(sizes):
    """The sizes of the log's sectors: those of the chip, but several together where they are too small."""
    joined = []
    for size in sizes:
        joined.append(size + (joined.pop() if joined and joined[-1] < LEAST_SECTOR else 0))
    return [size for size in joined if size >= LEAST_SECTOR]


def decode(flash, start, sizes, unit, erased=0xFF, unreadable=()):
    """What the log says, where the chip's sectors have these sizes, and these addresses read as an error."""
    sectors = []
    for size in log_sectors(sizes):
        sectors.append(Sector(flash[start:start + size], start, unit, erased, unreadable))
        start += size
    result = dict(sectors=[s.report(sectors) for s in sectors], current=None, state=None, durable=False, checkpoint=None)
    counting = [s for s in sectors if s.counts(sectors)]
    if counting:
        current = max(counting, key=lambda s: s.generation)
        record, state = current.states[-1], dict(current.states[-1]["fields"])
        if state["phase"] in ("swapping", "reverting"):
            state["step"] += record["ticks"]
        checkpoints = (r["fields"] for r in current.records if r["kind"] in ("checkpoint", "compressed"))
        own = [c for c in checkpoints if c["start"] == state["start"]]
        result.update(current=sectors.index(current), state=state, durable=record["durable"],
                      checkpoint=own[-1] if own else None)
    return result


def number(text):
    return int(text, 0)


def numbers(text):
    return [number(t) for t in text.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("flash", help="file that holds the flash from address 0 on")
    parser.add_argument("--start", type=number, required=True, help="address of the records region")
    parser.add_argument("--sectors", type=numbers, required=True, help="sizes of the region's sectors, with commas")
    parser.add_argument("--unit", type=number, required=True, choices=(4, 8, 16, 32))
    parser.add_argument("--erased", type=number, default=0xFF, choices=(0x00, 0xFF))
    parser.add_argument("--unreadable", type=numbers, default=[], help="addresses that read as an error")
    args = parser.parse_args()
    with open(args.flash, "rb") as file:
        flash = file.read()
    if len(flash) < args.start + sum(args.sectors):
        parser.error("the file ends before the log does")
    print(json.dumps(decode(flash, args.start, args.sectors, args.unit, args.erased, args.unreadable)))


if __name__ == "__main__":
    main()
