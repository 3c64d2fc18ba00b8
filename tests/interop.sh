#!/usr/bin/env bash
# The tool and an independent decoder (tests/vectors/lockgate_ref.py, written from docs/format.md alone) judge the
# same packages: the vectors, what either packs, and damaged copies of it. They must agree on every one.
#
# Needs python3 with the package `cryptography`. LOCKGATE=PATH names the tool; it is built if that is not set.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [[ -z ${LOCKGATE:-} ]]; then
    cargo build -q --release -p lockgate-cli
    LOCKGATE=${CARGO_TARGET_DIR:-target}/release/lockgate
fi
LOCKGATE=$(realpath "$LOCKGATE")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=tests/vectors LOCKGATE=$LOCKGATE WORK=$work python3 - <<'END'
import csv, hashlib, json, os, random, subprocess, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import lockgate_ref as ref

TOOL, WORK, VECTORS = os.environ["LOCKGATE"], Path(os.environ["WORK"]), Path("tests/vectors")
VENDOR, CLASS = "6b1f3a52-97c4-4c0e-8d27-0a5be1f0c9d4", "0c2f9c0e-3f5b-4a51-9d2c-6a3f5d1e7b80"
FIELDS = ("vendor class component version security_counter image_size image_digest block_size payload_length "
          "first_block_hash encoding base_image load_address manifest_digest blocks key_ids key_sets").split()
SEED, FLIPS, CUTS = 20260101, 200, 100
table, failures = {}, []


def check(group, name, ok, why=""):
    passed, failed = table.get(group, (0, 0))
    table[group] = (passed + bool(ok), failed + (not ok))
    if not ok:
        failures.append(f"{group}: {name}: {why}")


def pem(key, private=False):
    return str(VECTORS / f"test-key-{key}{'' if private else '.pub'}.pem")


PUBLIC = {key: ref.load_key(pem(key), False) for key in "abcdefghi"}


def by_python(package, keys, threshold, trailer=False):  # (fields, why refused)
    try:
        return ref.decode(package, dict(PUBLIC[key] for key in keys), threshold, trailer), None
    except ref.Refused as why:
        return None, str(why)


def run(*args):
    done = subprocess.run([*map(str, args)], capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise SystemExit(f"exit status {done.returncode}: {args}\n{done.stderr}")
    return done


def by_tool(path, keys, threshold):  # (accepted, what it said)
    trust = [arg for key in keys for arg in ("--key", pem(key))]
    done = run(TOOL, "verify", path, *trust, "--threshold", threshold)
    return done.returncode == 0, done.stderr.strip()


def inspected(path):
    done = run(TOOL, "inspect", path, "--json")
    # What it says of the manifest it says of packages, too, whose payload does not decode.
    return json.loads(done.stdout) if done.stdout else {"refused": done.stderr.strip()}


def compare(group, name, *answers):
    fields = [{field: answer.get(field, "(missing)") for field in FIELDS} for answer in answers if answer]
    different = [field for field in FIELDS if len({json.dumps(f[field], sort_keys=True) for f in fields}) != 1]
    why = "; ".join(f"{field}: {[f[field] for f in fields]}" for field in different)
    check(group, name, len(fields) == len(answers) and not different, why or "no answer")


# (a) the vectors
pool = ThreadPoolExecutor(os.cpu_count())
for folder in ("good", "format-only"):
    paths = sorted((VECTORS / folder).glob("*.lgu"))
    assert paths, f"no vectors in {folder}"
    for path, seen in zip(paths, pool.map(inspected, paths)):
        expected = json.loads(path.with_suffix(".json").read_text())
        keys, threshold = [key[-1] for key in expected["trust"]["keys"]], expected["trust"]["threshold"]
        found, why = by_python(path.read_bytes(), keys, threshold)
        check(f"{folder} vectors, Python accepts", path.stem, found, why)
        compare(f"{folder} vectors, fields of Python and of inspect", path.stem, expected, found, seen)
        accepted, why = by_tool(path, keys, threshold)
        # The tool is a device without a decoder for encodings that have none yet.
        raw = expected["encoding"] == "raw"
        check(f"{folder} vectors, verify accepts raw ones only", path.stem, accepted == raw, why)
with open(VECTORS / "bad/LIST.tsv", newline="") as file:
    bad = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
assert {row["file"] for row in bad} == {path.name for path in (VECTORS / "bad").glob("*.lgu")} and bad
verdicts = pool.map(lambda row: by_tool(VECTORS / "bad" / row["file"], row["keys"], row["threshold"]), bad)
for row, (accepted, _) in zip(bad, verdicts):
    found, _ = by_python((VECTORS / "bad" / row["file"]).read_bytes(), row["keys"], int(row["threshold"]))
    check("bad vectors, Python refuses", row["file"], not found, f"accepted ({row['what']})")
    check("bad vectors, verify refuses", row["file"], not accepted, f"accepted ({row['what']})")

# Trailers: who reads one skips entries that do not verify and elements that he does not know.
for row in bad:
    package = (VECTORS / "bad" / row["file"]).read_bytes()
    head = 18 + int.from_bytes(package[12:14], "little")
    head += int.from_bytes(package[head - 2:head], "little")
    kind = row["refusal"].split()[0]
    good = kind in ("UnknownElement", "BlockHash", "Trailing", "ImageDigest")
    good |= row["file"] in [f"signers-{how}.lgu" for how in (
        "wrong-beside-right", "right-behind-wrong", "wrong-beyond-threshold")]
    good |= kind == "Truncated" and len(package) >= head
    good &= package[9:10] == b"\2"  # a trailer has no key sets
    found, why = by_python(package, row["keys"], int(row["threshold"]), True)
    check("trailers of bad vectors, Python accepts what section 9 says", row["file"], bool(found) == good, why)

# (b) and (c) packages that either makes: image size, block size, signers, trusted keys, threshold, more
firmware = Path("cli/assets/cortex-m4.bin")
firmware = (firmware if firmware.exists() else Path("docs/format.md")).read_bytes()
noise = random.Random(SEED).randbytes(70000)
CASES = [
    (noise[:1], 256, "a", "a", 1, {}),
    (noise[:255], 256, "a", "ab", 1, {"--component": 3}),
    (noise[:256], 256, "ab", "ab", 2, {"--load-address": 0x08020000}),
    (noise[:257], 256, "ac", "a", 1, {"--component": 65535, "--load-address": 0xFFFFFFFF}),
    (noise[:4096], 1024, "abc", "ab", 2, {"--version": "255.255.65535+4294967295"}),
    (noise[:4097], 1024, "abc", "b", 1, {"--security-counter": 2**32 - 1}),
    (noise[:5000], 512, "bc", "abc", 2, {"--version": "0.0.0"}),
    (noise, 65536, "a", "a", 1, {"--security-counter": 0}),
    (firmware, 4096, "abc", "abc", 3, {"--version": "1.2.3+10"}),
    (firmware, 1024, "ab", "ab", 1, {"--load-address": 0}),
]
made = []
for index, (image, block, signers, keys, threshold, more) in enumerate(CASES):
    (WORK / "image").write_bytes(image)
    options = {"--vendor": VENDOR, "--class": CLASS, "--version": "1.2.3", "--security-counter": 7} | more
    arguments = [word for option in (options | {"--block-size": block}).items() for word in option]
    arguments += [word for key in signers for word in ("--key", pem(key, True))]
    for maker, command in (("tool", [TOOL, "pack", WORK / "image"]),
                           ("Python", [sys.executable, VECTORS / "lockgate_ref.py", "pack", WORK / "image"])):
        path = WORK / f"{maker}-{index}.lgu"
        done = run(*command, *arguments, "-o", path)
        check(f"packed by {maker}", path.stem, done.returncode == 0, done.stderr)
        found, why = by_python(path.read_bytes(), keys, threshold)
        check(f"packed by {maker}, Python accepts", path.stem, found, why)
        asked = (found or {}) | {
            "vendor": VENDOR, "class": CLASS, "component": options.get("--component", 0),
            "version": options["--version"], "security_counter": options["--security-counter"],
            "image_size": len(image), "image_digest": hashlib.sha256(image).hexdigest(), "block_size": block,
            "payload_length": len(image), "encoding": "raw", "base_image": None, "blocks": -(-len(image) // block),
            "load_address": options.get("--load-address"), "key_sets": 0,
            "key_ids": sorted(PUBLIC[key][0].hex() for key in signers)}
        group = f"packed by {maker}, fields as asked, of Python and of inspect"
        compare(group, path.stem, asked, found, inspected(path))
        check(f"packed by {maker}, verify accepts", path.stem, *by_tool(path, keys, threshold))
        script = [sys.executable, VECTORS / "lockgate_ref.py", "verify", path, "--threshold", threshold]
        done = run(*script, *[word for key in keys for word in ("--key", pem(key))])
        check(f"packed by {maker}, the Python command accepts", path.stem, done.returncode == 0, done.stderr)
        if found:
            made.append((path, keys, threshold, found["manifest_digest"]))
    # But for the signatures, which take a random number or none, both make the same bytes.
    tool, python = ((WORK / f"{maker}-{index}.lgu").read_bytes() for maker in ("tool", "Python"))
    signed = 16 + int.from_bytes(tool[12:14], "little")
    payload = signed + 2 + 76 * len(signers)
    same = (tool[:signed], tool[payload:]) == (python[:signed], python[payload:])
    check("packed by both, equal but for the signatures", index, same, "they differ")

# (d) damage
chance = random.Random(SEED)


def damaged(package):  # what was done, the place, the bytes
    size = len(package)
    head = 18 + int.from_bytes(package[12:14], "little")
    head += int.from_bytes(package[head - 2:head], "little")
    for _ in range(CUTS):
        end = chance.choice([chance.randrange(head), chance.randrange(size)])
        yield "truncated", end, package[:end]
    for _ in range(FLIPS):  # as many in the head, where the rules are, as anywhere
        bit = chance.choice([chance.randrange(8 * head), chance.randrange(8 * size)])
        flipped = bytearray(package)
        flipped[bit // 8] ^= 1 << bit % 8
        yield "bit-flipped", bit // 8, bytes(flipped)


def judge(job):
    number, (path, keys, threshold, digest), (how, place, package) = job
    copy = WORK / f"damaged-{number}.lgu"
    copy.write_bytes(package)
    found, why = by_python(package, keys, threshold)
    accepted, said = by_tool(copy, keys, threshold)
    copy.unlink()
    section = 16 + int.from_bytes(path.read_bytes()[12:14], "little")
    # Who changes a signature entry that is not needed changes nothing that counts.
    harmless = found and how == "bit-flipped" and place >= section and found["manifest_digest"] == digest
    return how, f"{path.stem} at byte {place}", bool(found) == accepted, bool(found), harmless, (why, said)


jobs = ((number, case, damage) for number, (case, damage) in enumerate(
    (case, damage) for case in made for damage in damaged(case[0].read_bytes())))
accepted_flips = 0
for how, name, agree, accepted, harmless, said in pool.map(judge, jobs):
    check(f"{how}, both agree", name, agree, said)
    check(f"{how}, accepted only where no signature was needed", name, harmless or not accepted, said)
    accepted_flips += accepted and agree

# (e) key sets: what a device that rotates its keys makes of them. Whoever does not rotate passes them over.
with open(VECTORS / "rotation/LIST.json") as file:
    rotation = json.load(file)
assert {row["file"] for row in rotation["vectors"]} == {path.name for path in (VECTORS / "rotation").glob("*.lgu")}
for row in rotation["vectors"]:
    path, points, root = VECTORS / "rotation" / row["file"], rotation["keys"], row["root"]
    keys = [points[key["key"]] | {"roles": key["roles"]} for key in row["trusted"]["keys"]]
    root = root and root | {"keys": [points[key] for key in root["keys"]]}
    told = row["trusted"] | {"vendor": rotation["vendor"], "class": rotation["class"], "keys": keys, "root": root}
    found = ref.rotate(path.read_bytes(), told)
    said = found["key_sets"], found["taken"], found["refused"], bool(found["update"])
    expected = row["key_sets"], row["taken"], row["rule"], row["accepted"]
    check("key sets, Python judges as the list says", row["file"], said == expected, f"{said} {found['why']}")
    (WORK / "trusted.json").write_text(json.dumps(told))
    if row["file"].startswith(("one", "root", "gap")):
        done = run(sys.executable, VECTORS / "lockgate_ref.py", "verify", path, "--trusted", WORK / "trusted.json")
        same = json.loads(done.stdout) == found and done.returncode == (not row["accepted"])
        check("key sets, the Python command says the same", row["file"], same, done.stderr)
    signers = "".join(key["key"] for key in row["trusted"]["keys"] if key["roles"] & 1)
    skipped, why = by_python(path.read_bytes(), signers, row["trusted"]["sign_threshold"])
    accepted, said = by_tool(path, signers, row["trusted"]["sign_threshold"])
    check("key sets, passed over by both or refused", row["file"], bool(skipped) == accepted, (why, said))
    # The tool reads also the signatures of sets that are passed over. It knows of no root.
    if not root and row["file"] not in ("old-entry-order.lgu", "old-entry-63.lgu"):
        roles = [("sign", 1), ("rotate", 2)]
        described = [{"id": key["id"], "roles": [name for name, bit in roles if key["roles"] & bit],
                      "point": key["x"] + key["y"]} for key in keys]
        described = {name: value for name, value in told.items() if name != "root"} | {"keys": described}
        (WORK / "keys.json").write_text(json.dumps(described))
        done = run(TOOL, "verify", path, "--trusted", WORK / "keys.json")
        check("key sets, verify --trusted", row["file"], (done.returncode == 0) == row["accepted"], done.stderr)

# The largest signature section, which is no vector because of its size.
package = (VECTORS / "good/one-byte.lgu").read_bytes()
signed = 16 + int.from_bytes(package[12:14], "little")
entries, payload = package[signed + 2:signed + 78], package[signed + 78:]
for size in (32767, 32768, 32769):
    long = size - len(entries) - 12
    section = entries + (2).to_bytes(2, "little") + bytes(8) + long.to_bytes(2, "little") + bytes(long)
    path = WORK / f"section-{size}.lgu"
    path.write_bytes(package[:signed] + size.to_bytes(2, "little") + section + payload)
    verdicts = bool(by_python(path.read_bytes(), "a", 1)[0]), by_tool(path, "a", 1)[0]
    check("signature sections of 32767 to 32769 bytes", size, verdicts == (size <= 32768,) * 2, verdicts)

width = max(map(len, table))
print(f"{'what':<{width}}  passed  failed")
for group, (passed, failed) in table.items():
    print(f"{group:<{width}}  {passed:>6}  {failed:>6}")
print(f"(of the bit flips both accepted {accepted_flips}, all in signature entries that were not needed)")
for failure in failures[:40]:
    print(f"FAILED: {failure}", file=sys.stderr)
print(f"{sum(p for p, _ in table.values())} passed, {len(failures)} failed")
sys.exit(bool(failures))
END
