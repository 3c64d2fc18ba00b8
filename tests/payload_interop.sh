#!/usr/bin/env bash
# detools and heatshrink2 from PyPI against the encoders and decoders here, both ways, and the sizes of what either makes.
#
#   tests/payload_interop.sh [BASE:IMAGE...]     more pairs of files
#
# Then the same through the tool: `lockgate pack --patch` of what detools made, and detools on what `lockgate pack --base` made.
#
# Needs python3 with the packages `detools` and `heatshrink2`. PAYLOAD=PATH names the example `payload`, LOCKGATE=PATH the tool;
# they are built if that is not set.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [[ -z ${PAYLOAD:-} ]]; then
    cargo build -q --release -p lockgate --features pack --example payload
    PAYLOAD=${CARGO_TARGET_DIR:-target}/release/examples/payload
fi
PAYLOAD=$(realpath "$PAYLOAD")
if [[ -z ${LOCKGATE:-} ]]; then
    cargo build -q -p lockgate-cli
    LOCKGATE=${CARGO_TARGET_DIR:-target}/debug/lockgate
fi
LOCKGATE=$(realpath "$LOCKGATE")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

PYTHONDONTWRITEBYTECODE=1 PAYLOAD=$PAYLOAD LOCKGATE=$LOCKGATE WORK=$work python3 - "$@" <<'END'
import io, json, os, random, subprocess, sys
from pathlib import Path
import detools, heatshrink2

TOOL, LOCKGATE, WORK = os.environ["PAYLOAD"], os.environ["LOCKGATE"], Path(os.environ["WORK"])
WINDOWS = [(8, 3), (8, 7), (9, 5), (10, 8), (11, 4), (11, 10)]
LARGEST = 1.05  # of detools' own
chance = random.Random(20260101)
failures = []


def check(name, ok, why=""):
    if not ok:
        failures.append(f"{name}: {why}")


def run(*arguments, given):  # what the example makes of the files in `given`
    paths = {}
    for name, content in given.items():
        paths[name] = WORK / name
        paths[name].write_bytes(content)
    out = WORK / "out"
    out.unlink(missing_ok=True)
    done = subprocess.run([TOOL, *(str(paths.get(word, word)) for word in arguments[0]), "-o", str(out),
                           *map(str, arguments[1])], capture_output=True, text=True)
    return (out.read_bytes(), "") if done.returncode == 0 else (b"", done.stderr)


def detools_patch(base, image, window):
    patch, options = io.BytesIO(), {}
    if window:
        options = dict(heatshrink_window_sz2=window[0], heatshrink_lookahead_sz2=window[1])
    detools.create_patch(io.BytesIO(base), io.BytesIO(image), patch, "heatshrink" if window else "none", **options)
    return patch.getvalue()


def detools_apply(base, patch):
    image = io.BytesIO()
    try:
        detools.apply_patch(io.BytesIO(base), io.BytesIO(patch), image)
    except detools.Error as why:
        return str(why).encode()
    return image.getvalue()


def edited(base):  # as if a word were changed, code put in, calls moved
    image = bytearray(base)
    image[len(image) // 3] ^= 0x10
    for at in sorted(chance.sample(range(len(image) - 4), 60)):
        image[at] = (image[at] + 0x28) % 256
    image[len(image) // 2:len(image) // 2] = chance.randbytes(90)
    return bytes(image)


firmware = Path("cli/assets/cortex-m4.bin").read_bytes()
PAIRS = {
    "firmware, one constant": (firmware, firmware[:9000] + b"\x2a" + firmware[9001:]),
    "firmware, edited": (firmware, edited(firmware)),
    "firmware, front cut off": (firmware, firmware[5000:]),
    "firmware, as it is": (firmware, firmware),
    "noise": (chance.randbytes(3000), chance.randbytes(3000)),
    "one byte": (b"a", b"b"),
    "zeros": (bytes(5000), bytes(9000)),
}
for pair in sys.argv[1:]:
    base, image = map(Path, pair.split(":"))
    PAIRS[image.name] = (base.read_bytes(), image.read_bytes())
programs = [Path("/usr/bin/ls"), Path("/usr/bin/cp")]
if all(program.exists() for program in programs):
    # Not as ELF files, which the tool takes for a mistake.
    PAIRS["ls to cp"] = tuple(program.read_bytes()[16:] for program in programs)

print(f"{'pair':<26} {'image':>8}  {'W  L':<5} {'patch':>8} {'detools':>8} {'ratio':>6}  {'heatshrink':>10} {'theirs':>8} {'ratio':>6}")
for name, (base, image) in PAIRS.items():
    for window in [None, *WINDOWS]:
        case = f"{name}, {window or 'none'}"
        ours, why = run(["delta", "base", "image"], window or (), given={"base": base, "image": image})
        theirs = detools_patch(base, image, window)
        check(f"{case}: detools applies our patch", detools_apply(base, ours) == image, why)
        for maker, patch in ("our", ours), ("detools'", theirs):
            applied, why = run(["apply", "base", "patch"], (), given={"base": base, "patch": patch})
            check(f"{case}: we apply {maker} patch", applied == image, why)
        # Short patches differ by a byte or two.
        check(f"{case}: size", len(ours) <= max(LARGEST * len(theirs), len(theirs) + 2), f"{len(ours)} to {len(theirs)}")
        line = f"{name:<26} {len(image):>8}  {'%2d %2d' % window if window else 'none':<5} {len(ours):>8} {len(theirs):>8} {len(ours) / len(theirs):>6.3f}"
        if window:
            ours, why = run(["heatshrink", "image"], window, given={"image": image})
            theirs = heatshrink2.compress(image, window_sz2=window[0], lookahead_sz2=window[1])
            expanded = heatshrink2.decompress(ours, window_sz2=window[0], lookahead_sz2=window[1])
            check(f"{case}: heatshrink2 expands our payload", expanded == image, why)
            for maker, payload in ("our", ours), ("heatshrink2's", theirs):
                found, why = run(["expand", len(image), "payload"], window, given={"payload": payload})
                check(f"{case}: we expand {maker} payload", found == image, why)
            check(f"{case}: size", len(ours) <= len(theirs), f"{len(ours)} to {len(theirs)}")
            line += f"  {len(ours):>10} {len(theirs):>8} {len(ours) / len(theirs):>6.3f}"
        print(line)

# A patch for another base makes another image, or is refused; other patches of detools are refused by their first byte.
base, image = PAIRS["firmware, edited"]
for compression in "crle", "bz2", "lzma":
    patch = io.BytesIO()
    detools.create_patch(io.BytesIO(base), io.BytesIO(image), patch, compression)
    _, why = run(["apply", "base", "patch"], (), given={"base": base, "patch": patch.getvalue()})
    check(f"compression {compression} is refused", "PatchType" in why, why)


# Through the tool, as people do it.
KEY = Path("cli/tests/keys/a.pem").resolve()
ANY = "6b1f3a52-97c4-4c0e-8d27-0a5be1f0c9d4"
IDENTITY = ["--key", KEY, "--version", "1.2.3", "--security-counter", "7", "--vendor", ANY, "--class", ANY, "--window", "11"]


def lockgate(*arguments):
    done = subprocess.run([LOCKGATE, *map(str, arguments)], capture_output=True, text=True, cwd=WORK)
    return done.stdout, done.stderr


packed = 0
for name, (base, image) in PAIRS.items():
    if base == image:
        continue
    for file, content in ("base", base), ("image", image):
        (WORK / file).write_bytes(content)
    for window in [None, (8, 7), (11, 4)]:
        case = f"{name}, {window or 'none'}, by the tool"
        packed += 1
        # What detools made is packed; the tool's device makes the image of it.
        (WORK / "fw.patch").write_bytes(detools_patch(base, image, window))
        out, why = lockgate("pack", "--patch", "fw.patch", "--base", "base", *IDENTITY, "-o", "fw.lgu", "--json")
        check(f"{case}: detools' patch is packed", out and json.loads(out)["image_size"] == len(image), why)
        out, why = lockgate("verify", "fw.lgu", "--key", KEY, "--base", "base", "--json")
        check(f"{case}: detools' patch is verified", out and json.loads(out)["verified"], why)
        # What the tool made, detools applies.
        compress = "heatshrink:%d,%d" % window if window else "none"
        _, why = lockgate("pack", "image", "--base", "base", "--compress", compress, *IDENTITY, "-o", "own.lgu")
        check(f"{case}: a delta is packed", not why, why)
        (WORK / "own.patch").unlink(missing_ok=True)
        _, why = lockgate("inspect", "own.lgu", "--payload", "own.patch")
        check(f"{case}: its payload comes out", not why, why)
        if (WORK / "own.patch").exists():
            applied = detools_apply(base, (WORK / "own.patch").read_bytes())
            check(f"{case}: detools applies the tool's patch", applied == image, applied[:80])
print(f"{packed} patches each way through the tool")
for failure in failures[:40]:
    print(f"FAILED: {failure}", file=sys.stderr)
print(f"{len(PAIRS)} pairs, {len(failures)} failed")
sys.exit(bool(failures))
END
