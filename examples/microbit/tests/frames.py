"""The frames of a serial line, by docs/serial.md: for somebody in the middle who changes what is sent, and gets the checks right."""

import struct
import zlib

DATA = 2


def encode(body):
    """A frame with this body, its check not included."""
    rest, out = body + struct.pack("<I", zlib.crc32(body)), b"\0"
    while True:
        group = rest[:254].split(b"\0")[0]
        out += bytes([len(group) + 1]) + group
        rest = rest[len(group) :]
        if not rest:
            return out + b"\0"
        rest = rest[len(group) < 254 :]
        if not rest and len(group) < 254:
            return out + b"\x01\0"


def decode(encoded):
    """The body without its check, of what lies between two zeros; None if it is no frame."""
    body, rest = b"", encoded
    while rest:
        length = rest[0] - 1
        group, rest = rest[1 : 1 + length], rest[1 + length :]
        body += group + (b"\0" if length < 254 and rest else b"")
    check = body[-4:]
    return body[:-4] if len(body) > 4 and check == struct.pack("<I", zlib.crc32(body[:-4])) else None


def changing(change):
    """For `Line.spoil`: each `data` for the device becomes what `change(offset, bytes)` says."""
    kept = b""

    def spoil(data):
        nonlocal kept
        *pieces, kept = (kept + data).split(b"\0")
        out = b""
        for body in filter(None, map(decode, pieces)):
            if body[0] == DATA:
                offset, = struct.unpack_from("<I", body, 1)
                body = body[:9] + change(offset, body[9:])
            out += encode(body)
        return out

    return spoil


assert encode(bytes.fromhex("010000000008 00")) == bytes.fromhex("0002010101010208 05C25EC2F300"), "the example of docs/serial.md"
