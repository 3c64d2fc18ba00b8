#!/usr/bin/env python3
"""The host's end of docs/serial.md, which looks at nothing that it sends: `lockgate send` refuses damaged packages by itself.

usage: host.py SOCKET PACKAGE [--stop-after BYTES]

Prints what the device said at the end and how many bytes it asked for. Exits with the outcome (0 verified, 1 refused, 2 failed), or with 3
once BYTES were sent or the line was silent for a minute.
"""

import argparse
import socket
import struct
import sys
import zlib


def cobs(body):
    out = bytearray()
    group = bytearray()
    for at, byte in enumerate(body):
        if byte == 0:
            out += bytes([len(group) + 1]) + group
            group.clear()
            continue
        group.append(byte)
        if len(group) == 254:
            out += b"\xff" + group
            group.clear()
            if at == len(body) - 1:
                return bytes(out)
    return bytes(out + bytes([len(group) + 1]) + group)


def uncobs(line):
    out = bytearray()
    at = 0
    while at < len(line):
        code = line[at]
        group = line[at + 1 : at + code]
        if len(group) != code - 1:
            return None
        out += group
        at += code
        if code != 255 and at < len(line):
            out.append(0)
    return bytes(out)


def body_of(line):
    body = uncobs(line)
    if body is None or len(body) < 5 or zlib.crc32(body[:-4]) != struct.unpack("<I", body[-4:])[0]:
        return None
    return body[:-4]


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("socket")
    arguments.add_argument("package")
    arguments.add_argument("--stop-after", type=int, default=1 << 32)
    options = arguments.parse_args()
    with open(options.package, "rb") as file:
        package = file.read()
    line = socket.socket(socket.AF_UNIX)
    line.settimeout(60)
    line.connect(options.socket)
    pending, sent = b"", 0
    while True:
        try:
            received = line.recv(4096)
        except TimeoutError:
            received = b""
        if not received:
            print(f"silence; {sent} of {len(package)} bytes")
            return 3
        *frames, pending = (pending + received).split(b"\0")
        want = None
        for frame in map(body_of, filter(None, frames)):
            if frame and frame[0] == 3:
                print(f"{frame[2:].decode()}; {sent} of {len(package)} bytes")
                return frame[1]
            if frame and frame[0] == 1:
                want = struct.unpack("<IH", frame[1:])
        if want is None:
            continue
        if sent >= options.stop_after:
            print(f"stopped; {sent} of {len(package)} bytes")
            return 3
        offset, length = want
        data = package[offset : offset + length]
        body = b"\x02" + struct.pack("<II", offset, len(package)) + data
        line.sendall(b"\0" + cobs(body + struct.pack("<I", zlib.crc32(body))) + b"\0")
        sent += len(data)


if __name__ == "__main__":
    sys.exit(main())
