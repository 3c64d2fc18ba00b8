"""Images that differ, and some that fail, made of one build: ./images.py DIRECTORY"""

import pathlib
import random
import struct
import sys

SLOT_A = 0x9000
MARK = b"BUILD NUMBER"  # ../app/src/main.rs


def numbered(image, number):
    assert image.count(MARK) == 1, "the application has no place for its number"
    at = image.index(MARK) + len(MARK)
    return image[:at] + struct.pack("<I", number) + image[at + 4 :]


def starting_with(image, instruction):
    """The image, its first instruction another."""
    at = (struct.unpack_from("<I", image, 4)[0] & ~1) - SLOT_A
    return image[:at] + struct.pack("<H", instruction) + image[at + 2 :]


def main(out):
    app = (out / "app.bin").read_bytes()
    large_boot = (out / "large-boot.bin").read_bytes()
    images = {
        "app-1": numbered(app, 1),
        "app-2": numbered(app, 2),
        # Larger than the others: it brings a table along.
        "app-3": numbered(app, 3) + random.Random(3).randbytes(9000),
        "app-hang": starting_with(numbered(app, 9), 0xE7FE),  # b .
        "app-crash": starting_with(numbered(app, 9), 0xDE00),  # udf #0
        "large-boot-1": numbered(large_boot, 1),
        "large-boot-2": numbered(large_boot, 2),
        "no-vectors": random.Random(4).randbytes(5000),
    }
    for name, image in images.items():
        (out / f"{name}.bin").write_bytes(image)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
