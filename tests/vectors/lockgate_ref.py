#!/usr/bin/env python3
"""Independent reference decoder and small packer for packages of docs/format.md, version 1.
Written from that page alone; "section n" is one of the page. Exit status: 0 accepted or packed,
1 refused, 2 wrong usage. Encodings other than raw are checked up to the block chain, not decoded
(the page does not define their streams yet): image_digest_checked in the output says so.
With --trusted (a JSON object, see trusted_set) verify is a device that rotates keys, and prints one
JSON object in either case: what became of each key set, then the update or why it was refused.
"""
import argparse, hashlib, json, re, struct, sys, uuid
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm as Unsupported
from cryptography.hazmat.primitives import hashes, serialization as pems
from cryptography.hazmat.primitives.asymmetric import ec, utils

MAGIC, KEY_SET, UPDATE, ES256 = bytes.fromhex("894C47550D0A1A0A"), 1, 2, 1
DOMAINS = {UPDATE: b"lockgate update ES256 v1".ljust(32, b"\0"),
           KEY_SET: b"lockgate key set ES256 v1".ljust(32, b"\0")}
MAX_SIZE, TRAILER, STORED = 0x7FFFFFFF, 1024, 992
P = 2**256 - 2**224 + 2**192 + 2**96 - 1  # P-256: y^2 = x^3 - 3x + B, FIPS 186-5
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
SIGN, ROTATE = 1, 2  # the roles of a key
(VENDOR, CLASS, COMPONENT, VERSION, COUNTER, SIZE, DIGEST, BLOCK, LENGTH, FIRST, ENCODING, BASE,
 LOAD) = range(1, 14)  # the elements of a manifest, section 4.1, and the lengths of their values
LENGTHS = [], [16], [16], [2], [8], [4], [4], [32], [1], [4], [32], [2, 3, 4], [36], [4]
KEY_SET_LENGTHS = [], [16], [16], [4], [1], [1], range(65, 65 * 8 + 1, 65)  # section 4.3
MANDATORY = {VENDOR, CLASS, VERSION, COUNTER, SIZE, DIGEST, BLOCK, LENGTH, FIRST}
ENCODINGS = {None: "raw", b"\x02\x00": {"name": "delta"}}  # section 4.2
for w, l in ((w, l) for w in range(8, 12) for l in range(3, 11) if l < w):
    ENCODINGS[bytes([1, w, l])] = {"name": "heatshrink", "window": w, "lookahead": l}
    ENCODINGS[bytes([2, 1, w, l])] = {"name": "delta", "window": w, "lookahead": l}

class Refused(Exception):  # name: of the rule, in a few words that do not change
    def __init__(self, reason, name):
        super().__init__(reason)
        self.name = name

def need(condition, reason, name="form"):
    if not condition:
        raise Refused(reason, name)

class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n, what):
        need(n <= len(self.data) - self.at, f"truncated in {what}")
        self.at += n
        return self.data[self.at - n:self.at]

    def take_section(self):  # section 5
        size = int.from_bytes(self.take(2, "signature section"), "little")
        need(13 <= size <= 32768, f"signature section of {size} bytes")
        return self.take(size, "signature section")

def read_prelude(reader):  # section 3
    raw = reader.take(16, "prelude")
    magic, version, kind, zero1, length, zero2 = struct.unpack("<8sBBHHH", raw)
    need(magic == MAGIC and version == 1, "magic or format version")
    need(kind in (KEY_SET, UPDATE) and zero1 == zero2 == 0, "object type or reserved field")
    need(length in (range(153, 513), range(127, 1025))[kind == KEY_SET], f"body length {length}")
    return raw, kind, length

def read_entries(reader, kind, signed, keys, trailer=False):  # section 5: all and valid key ids
    entries, seen, valid = Reader(reader.take_section()), [], []
    while entries.at < len(entries.data):
        algorithm, ident, length = struct.unpack("<H8sH", entries.take(12, "signature entry"))
        signature = entries.take(length, "signature entry")
        need(length >= 1 and (algorithm != ES256 or length == 64), f"signature of {length} bytes")
        seen.append((algorithm, ident))
        if algorithm == ES256 and ident in keys:  # any other entry is skipped
            r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
            der = utils.encode_dss_signature(r, s)
            try:  # verify also refuses r and s outside 1 to n-1
                keys[ident].verify(der, DOMAINS[kind] + signed, ec.ECDSA(hashes.SHA256()))
                valid.append(ident)
            except InvalidSignature:  # section 9: skipped
                bad = f"bad signature of key {ident.hex()}"
                need(trailer, bad, "update signature" if kind == UPDATE else "signature")
    need(seen == sorted(set(seen)) and len(seen) <= 32, "order or number of signature entries")
    return [ident.hex() for _, ident in seen], valid

def read_signatures(reader, signed, keys, threshold, trailer):  # of an update
    ids, valid = read_entries(reader, UPDATE, signed, keys, trailer)
    few = f"{len(valid)} valid signatures, threshold {threshold}"
    need(len(valid) >= threshold, few, "update threshold")
    return ids, [ident.hex() for ident in valid]

def read_elements(body, lengths, mandatory, refused, lenient=False):  # section 4: the known ones
    reader, known, last = Reader(body), {}, 0
    while reader.at < len(body):
        kind, length = struct.unpack("<HH", reader.take(4, "element header"))
        number, critical = kind & 0x7FFF, kind >> 15
        value = reader.take(length, f"element {number}")
        need(number > last, f"element {number} is 0, double or not in order")
        last = number
        if number < len(lengths):
            need(critical and length in lengths[number], f"element {number}: type or length")
            known[number] = value
        elif not lenient:
            need(not critical and number not in refused, f"unknown element {number}")
    need(mandatory <= set(known), f"missing elements {sorted(mandatory - set(known))}")
    return known

def read_manifest(body, trailer):  # sections 4 to 4.2; a trailer's unknown elements are skipped
    known = read_elements(body, LENGTHS, MANDATORY, (14, 15, 16), trailer)
    num = {n: int.from_bytes(value, "little") for n, value in known.items()}
    size, length, base_size = num[SIZE], num[LENGTH], num.get(BASE, 1) % 2**32
    need(all(1 <= n <= MAX_SIZE for n in (size, length, base_size)), "image or payload size")
    encoding = ENCODINGS.get(known.get(ENCODING))
    need(encoding and num.get(COMPONENT) != 0, "encoding, or component 0 on the wire")
    need(8 <= num[BLOCK] <= 16, f"block size exponent {num[BLOCK]}")
    need(encoding != "raw" or length == size, "raw payload length is not the image size")
    delta = encoding != "raw" and encoding["name"] == "delta"
    need(delta == (BASE in known), "base image without delta, or the reverse")
    version = "%d.%d.%d+%d" % struct.unpack("<BBHI", known[VERSION])
    return {"vendor": str(uuid.UUID(bytes=known[VENDOR])),
            "class": str(uuid.UUID(bytes=known[CLASS])), "component": num.get(COMPONENT, 0),
            "version": version.removesuffix("+0"), "security_counter": num[COUNTER],
            "image_size": size, "image_digest": known[DIGEST].hex(), "block_size": 1 << num[BLOCK],
            "payload_length": length, "first_block_hash": known[FIRST].hex(),
            "encoding": encoding, "load_address": num.get(LOAD),
            "base_image": delta and {"size": base_size, "digest": known[BASE][4:].hex()} or None}

class KeySet:  # section 4.3: points are raw, x || y, and by their key ids
    def __init__(self, vendor, kind, version, sign, rotate, keys):
        self.vendor, self.kind, self.version = vendor, kind, version
        self.sign_threshold, self.rotate_threshold = sign, rotate
        self.roles = {key_id(point): roles for roles, point in keys}
        self.points = {key_id(point): point for _, point in keys}
        for role, threshold in ((SIGN, sign), (ROTATE, rotate)):
            count = len(self.with_role(role))
            need(1 <= threshold <= count, f"threshold {threshold} of {count} keys")
        for roles, point in keys:
            need(1 <= roles <= 3, f"roles {roles}")
        ids = [key_id(point) for _, point in keys]
        need(ids == sorted(set(ids)), "order of keys")

    def with_role(self, role):
        return {ident for ident, roles in self.roles.items() if roles & role}

    def need_points(self):
        for point in self.points.values():
            x, y = (int.from_bytes(half, "big") for half in (point[:32], point[32:]))
            need(x < P and y < P, "coordinate is not below p")
            need((y * y - x**3 + 3 * x - B) % P == 0, "not a point of the curve")

    def public(self, role):
        made = ec.EllipticCurvePublicKey.from_encoded_point
        return {ident: made(ec.SECP256R1(), b"\4" + self.points[ident])
                for ident in self.with_role(role)}

def key_id(point):
    return hashlib.sha256(b"\4" + point).digest()[:8]

def read_key_set(body):
    known = read_elements(body, KEY_SET_LENGTHS, set(range(1, 7)), ())
    version, sign, rotate = (int.from_bytes(known[n], "little") for n in (3, 4, 5))
    need(version >= 1, "key set version 0")
    keys = [(known[6][at], known[6][at + 1:at + 65]) for at in range(0, len(known[6]), 65)]
    return KeySet(known[1], known[2], version, sign, rotate, keys)

def trusted_set(told):  # (trusted set, root or None) of a JSON object
    def keys(of, roles=None):
        found = [(roles or key["roles"], bytes.fromhex(key["x"] + key["y"])) for key in of["keys"]]
        return sorted(found, key=lambda key: key_id(key[1]))
    ids = uuid.UUID(told["vendor"]).bytes, uuid.UUID(told["class"]).bytes
    try:
        thresholds = told["sign_threshold"], told["rotate_threshold"]
        trusted = KeySet(*ids, told["version"], *thresholds, keys(told))
        if not (root := told.get("root")):  # rotate keys alone, without roles
            return trusted, None
        return trusted, KeySet(*ids, 0, 1, root["rotate_threshold"], keys(root, SIGN | ROTATE))
    except Refused as why:
        raise ValueError(f"trusted set: {why}")

def take_key_set(reader, prelude, body, trusted, root):  # section 4.3: a new set, or why not
    new = read_key_set(body)
    if (new.vendor, new.kind) != (trusted.vendor, trusted.kind):
        reader.take_section()
        return None, "another class"
    if new.version <= trusted.version:
        reader.take_section()
        return None, "not newer"
    gap = f"version {new.version} after {trusted.version}"
    need(new.version == trusted.version + 1, gap, "gap")
    new.need_points()
    signers = {"trusted": trusted, "new": new} | ({"root": root} if root else {})
    points = {}
    for keys in signers.values():
        for ident, point in keys.points.items():
            need(points.setdefault(ident, point) == point, f"two keys {ident.hex()}", "key id")
    public = {}
    for keys in signers.values():
        public |= keys.public(ROTATE)
    _, valid = read_entries(reader, KEY_SET, prelude + body, public)
    for name, keys in signers.items():
        count = len(keys.with_role(ROTATE) & set(valid))
        few = f"{count} signatures of the {name} set, not {keys.rotate_threshold}"
        need(count >= keys.rotate_threshold, few, f"threshold {name}")
    size = len(prelude) + len(body) + 2 + 76 * len(valid)
    need(size <= STORED, f"{size} bytes with signatures", "room")
    return new, "taken"

def block_hash(index, data, link):  # section 7
    head = struct.pack("<4sIIB3x", b"LGB1", index, len(data), not link)
    return hashlib.sha256(head + data + link).digest()

def read_payload(reader, manifest):  # whether the image's digest could be checked
    left, image = manifest["payload_length"], hashlib.sha256()
    expected = bytes.fromhex(manifest["first_block_hash"])
    for index in range(manifest["blocks"]):
        data = reader.take(min(manifest["block_size"], left), f"block {index}")
        left -= len(data)
        link = reader.take(32 if left else 0, f"link of block {index}")
        need(block_hash(index, data, link) == expected, f"hash of block {index}")
        expected = link
        image.update(data)
    need(reader.at == len(reader.data), "bytes after the last block")
    need(manifest["encoding"] != "raw" or image.hexdigest() == manifest["image_digest"], "digest")
    return manifest["encoding"] == "raw"

def decode(data, keys, threshold, trailer, rotation=None, story=None):  # sections 2, 8 and 9
    reader, key_sets = Reader(data[:TRAILER] if trailer else data), 0
    trusted, root = rotation or (None, None)
    prelude, kind, length = read_prelude(reader)
    while kind == KEY_SET:
        key_sets += 1
        need(not trailer and key_sets <= 16, "key set in a trailer, or more than 16", "number")
        body = reader.take(length, "key set")
        if trusted:
            new, outcome = take_key_set(reader, prelude, body, trusted, root)
            story.append({"outcome": outcome, "version": new.version if new else None})
            trusted = new or trusted
        else:
            reader.take_section()
        prelude, kind, length = read_prelude(reader)
    if trusted:
        keys, threshold = trusted.public(SIGN), trusted.sign_threshold
    body = reader.take(length, "manifest")
    ids, valid = read_signatures(reader, prelude + body, keys, threshold, trailer)
    manifest = read_manifest(body, trailer)
    manifest |= {"manifest_digest": hashlib.sha256(prelude + body).hexdigest(),
                 "blocks": -(-manifest["payload_length"] // manifest["block_size"]),
                 "key_ids": ids, "valid_key_ids": valid, "key_sets": key_sets}
    if trusted:  # of section 8, step 3, only what the trusted set says, too
        identity = [str(uuid.UUID(bytes=raw)) for raw in (trusted.vendor, trusted.kind)]
        need(identity == [manifest["vendor"], manifest["class"]], "vendor or class", "class")
    manifest["image_digest_checked"] = not trailer and read_payload(reader, manifest)
    return manifest

def rotate(data, told):  # what a device makes of a package that goes by this trusted set
    story, found = [], {"update": None, "refused": None, "why": None}
    try:
        found["update"] = decode(data, {}, 1, False, trusted_set(told), story)
    except Refused as why:
        found |= {"refused": why.name, "why": str(why)}
    taken = [each["version"] for each in story if each["outcome"] == "taken"]
    return {"key_sets": [each["outcome"] for each in story], "taken": taken} | found

def pack(image, keys, fields, block_size):  # fields: the elements that are not made here
    link, payload, size = b"", [], struct.pack("<I", len(image))
    for at in reversed(range(0, len(image), block_size)):
        data = image[at:at + block_size]
        payload.append(data + link)
        link = block_hash(at // block_size, data, link)
    fields |= {SIZE: size, DIGEST: hashlib.sha256(image).digest(), LENGTH: size, FIRST: link,
               BLOCK: bytes([block_size.bit_length() - 1])}
    body = b"".join(struct.pack("<HH", 0x8000 | number, len(value)) + value
                    for number, value in sorted(fields.items()))
    signed, entries = struct.pack("<8sBBHHH", MAGIC, 1, UPDATE, 0, len(body), 0) + body, b""
    for ident, key in sorted(keys.items()):
        made = key.sign(DOMAINS[UPDATE] + signed, ec.ECDSA(hashes.SHA256()))
        r, s = utils.decode_dss_signature(made)
        entries += struct.pack("<H8sH", ES256, ident, 64) + (r << 256 | s).to_bytes(64, "big")
    return signed + struct.pack("<H", len(entries)) + entries + b"".join(reversed(payload))

def load_key(path, private):  # (key id, key); a private key serves as its public one too
    pem = open(path, "rb").read()
    secret = pems.load_pem_private_key(pem, None) if b"PRIVATE KEY" in pem else None
    public = secret.public_key() if secret else pems.load_pem_public_key(pem)
    if not isinstance(public.curve, ec.SECP256R1) or private and not secret:
        raise ValueError(f"{path} is not a P-256 key, or not a private one")
    point = public.public_bytes(pems.Encoding.X962, pems.PublicFormat.UncompressedPoint)
    return hashlib.sha256(point).digest()[:8], secret if private else public

def fields_of(args):  # the elements that the command line gives
    numbers = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)(?:\+(\d+))?", args.version, re.A).groups("0")
    fields = {VENDOR: uuid.UUID(args.vendor).bytes, CLASS: uuid.UUID(getattr(args, "class")).bytes,
              VERSION: struct.pack("<BBHI", *map(int, numbers)),
              COUNTER: struct.pack("<I", args.security_counter)}
    optional = {COMPONENT: ("<H", args.component or None), LOAD: ("<I", args.load_address)}
    return fields | {n: struct.pack(*how) for n, how in optional.items() if how[1] is not None}

def main():
    parser = argparse.ArgumentParser(allow_abbrev=False, description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=["verify", "trailer", "pack"])
    parser.add_argument("file")
    parser.add_argument("--key", action="append", default=[])
    parser.add_argument("--trusted")
    parser.add_argument("--json", action="store_true")
    for name in ("--vendor", "--class", "--version", "-o"):
        parser.add_argument(name)
    for name, default in (("--threshold", 1), ("--security-counter", None), ("--component", 0),
                          ("--block-size", 4096), ("--load-address", None)):
        parser.add_argument(name, type=lambda text: int(text, 0), default=default)
    args = parser.parse_args()
    try:
        data, packing = open(args.file, "rb").read(), args.command == "pack"
        if bool(args.trusted) != (not args.key) or args.trusted and args.command != "verify":
            raise ValueError("keys, or a trusted set to verify with")
        if args.trusted:
            found = rotate(data, json.load(open(args.trusted)))
            print(json.dumps(found))
            sys.exit(f"refused: {found['why']}" if found["why"] else 0)
        keys = dict(load_key(path, packing) for path in args.key)
        if args.threshold < 1 or args.block_size not in [1 << e for e in range(8, 17)]:
            raise ValueError("threshold or block size")
        if packing:
            need(1 <= len(data) <= MAX_SIZE and len(keys) <= 32, "image size or number of keys")
            return open(args.o, "wb").write(pack(data, keys, fields_of(args), args.block_size))
        found = decode(data, keys, args.threshold, args.command == "trailer")
    except Refused as why:
        sys.exit(f"refused: {why}")
    except (ValueError, TypeError, AttributeError, KeyError, OSError, Unsupported,
            struct.error) as e:
        parser.error(str(e))
    print(json.dumps(found) if args.json else "\n".join(f"{n}: {v}" for n, v in found.items()))

if __name__ == "__main__":
    main()
