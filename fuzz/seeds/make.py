#!/usr/bin/env python3
"""Makes the seeds of the targets heatshrink and delta with other people's encoders.

    pip install detools heatshrink2; python3 fuzz/seeds/make.py

A seed begins with the six bytes of fuzz/src/payload.rs: what is done, inputs' and outputs' sizes, reset, size."""

import io
import random
from pathlib import Path

import detools
import heatshrink2

HERE = Path(__file__).parent
chance = random.Random(20260101)
words = [chance.randbytes(chance.randrange(2, 9)) for _ in range(40)]
base = b"".join(chance.choice(words) for _ in range(120))
image = bytearray(base)
for at in range(5, len(image), 61):
    image[at] = (image[at] + 4) % 256
image[200:200] = b"something that was not there"
image = bytes(image[300:] + image[:300])
PAIRS = {"edited": (base, image), "same": (base, base), "unlike": (base, chance.randbytes(300)), "one-byte": (b"a", b"b")}


def seed(target, name, what, size, data):
    folder = HERE / target
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(bytes([what, chance.randrange(256), chance.randrange(256), chance.randrange(256)])
                                + size.to_bytes(2, "little") + data)


for window, lookahead in (8, 3), (8, 7), (9, 4), (10, 8), (11, 10):
    what = (window - 8) << 1 | (lookahead - 3) << 3
    for name, (_, to) in PAIRS.items():
        stream = heatshrink2.compress(to, window_sz2=window, lookahead_sz2=lookahead)
        seed("heatshrink", f"{name}-{window}-{lookahead}", what, len(to), stream)
for name, (source, to) in PAIRS.items():
    for window, lookahead in (None, None), (8, 7), (10, 4):
        patch = io.BytesIO()
        if window:
            detools.create_patch(io.BytesIO(source), io.BytesIO(to), patch, "heatshrink",
                                 heatshrink_window_sz2=window, heatshrink_lookahead_sz2=lookahead)
        else:
            detools.create_patch(io.BytesIO(source), io.BytesIO(to), patch, "none")
        seed("delta", f"{name}-{window or 'none'}", 0, len(source), source + patch.getvalue())
    seed("delta", f"{name}-pair", 1, len(source), source + to)
seed("heatshrink", "image", 1, 0, image)

# States, and what follows them: in the midst of a diff, of an extra, of a reference.
seed("heatshrink", "state", 0x80, 1000, bytes([0, 0, 0, 0, 3, 0, 7, 0]) + image[:60])
