"""A TLS 1.3 server that proves nothing: it leaves out Certificate and CertificateVerify (RFC 8446, 4.4.2 and 4.4.3). A client that
authenticates servers sends it no request."""

import hashlib
import hmac
import os
import struct

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

CLIENT_HELLO, SERVER_HELLO, ENCRYPTED_EXTENSIONS, FINISHED = 1, 2, 8, 20
HANDSHAKE, APPLICATION = 22, 23
AES_128_GCM_SHA256, SECP256R1 = 0x1301, 0x0017
EMPTY = hashlib.sha256(b"").digest()


def extract(salt, secret):
    return hmac.new(salt, secret, hashlib.sha256).digest()


def expand(secret, label, context, length):
    label = b"tls13 " + label
    info = struct.pack(">HB", length, len(label)) + label + bytes([len(context)]) + context
    return hmac.new(secret, info + b"\1", hashlib.sha256).digest()[:length]


class Direction:
    """The keys of one direction, and its count of records (RFC 8446, 5.3)."""

    def __init__(self, secret):
        self.cipher = AESGCM(expand(secret, b"key", b"", 16))
        self.iv = int.from_bytes(expand(secret, b"iv", b"", 12), "big")
        self.count = 0

    def nonce(self):
        nonce = (self.iv ^ self.count).to_bytes(12, "big")
        self.count += 1
        return nonce

    def seal(self, kind, data):
        inner = data + bytes([kind])
        header = struct.pack(">BHH", APPLICATION, 0x0303, len(inner) + 16)
        return header + self.cipher.encrypt(self.nonce(), inner, header)

    def open(self, header, data):
        inner = self.cipher.decrypt(self.nonce(), data, header).rstrip(b"\0")
        return inner[-1], inner[:-1]


def exactly(connection, count):
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def record(connection):
    header = exactly(connection, 5)
    return header, exactly(connection, struct.unpack(">H", header[3:])[0])


def message(kind, body):
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def key_share(hello):
    """The client's P-256 point: extension 51."""
    at = 4 + 2 + 32
    at += 1 + hello[at]
    at += 2 + struct.unpack(">H", hello[at:at + 2])[0]
    at += 1 + hello[at] + 2
    while at < len(hello):
        kind, length = struct.unpack(">HH", hello[at:at + 4])
        if kind == 51:
            group, size = struct.unpack(">HH", hello[at + 6:at + 10])
            if group == SECP256R1:
                return hello[at + 10:at + 10 + size]
        at += 4 + length
    raise EOFError


def serve(connection):
    """Shakes hands without a certificate. Gives the bytes of request that the client then sends."""
    _, hello = record(connection)
    point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key_share(hello))
    key = ec.generate_private_key(ec.SECP256R1())
    mine = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    extensions = struct.pack(">HHH", 43, 2, 0x0304) + struct.pack(">HHHH", 51, 4 + len(mine), SECP256R1, len(mine)) + mine
    body = b"\3\3" + os.urandom(32) + b"\0" + struct.pack(">HBH", AES_128_GCM_SHA256, 0, len(extensions)) + extensions
    server_hello = message(SERVER_HELLO, body)
    connection.sendall(struct.pack(">BHH", HANDSHAKE, 0x0303, len(server_hello)) + server_hello)

    early = extract(bytes(32), bytes(32))
    secret = extract(expand(early, b"derived", EMPTY, 32), key.exchange(ec.ECDH(), point))
    transcript = hello + server_hello
    digest = hashlib.sha256(transcript).digest()
    server_secret = expand(secret, b"s hs traffic", digest, 32)
    client = Direction(expand(secret, b"c hs traffic", digest, 32))
    server = Direction(server_secret)
    encrypted = message(ENCRYPTED_EXTENSIONS, b"\0\0")
    transcript += encrypted
    proof = hmac.new(expand(server_secret, b"finished", b"", 32), hashlib.sha256(transcript).digest(), hashlib.sha256)
    finished = message(FINISHED, proof.digest())
    transcript += finished
    connection.sendall(server.seal(HANDSHAKE, encrypted) + server.seal(HANDSHAKE, finished))

    master = extract(expand(secret, b"derived", EMPTY, 32), bytes(32))
    client_secret = expand(master, b"c ap traffic", hashlib.sha256(transcript).digest(), 32)
    begged, reading = 0, client
    connection.settimeout(15)
    try:
        while True:
            header, data = record(connection)
            if header[0] != APPLICATION:
                continue
            kind, text = reading.open(header, data)
            if kind == HANDSHAKE:
                reading = Direction(client_secret)
            elif kind == APPLICATION:
                begged += len(text)
    except (OSError, EOFError):
        return begged
