"""Certificates for the loopback server, good and bad ones."""

import datetime
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


def _pem(directory, name, key, *certificates):
    """Writes key and certificates where `ssl` can load them."""
    path = directory / f"{name}.pem"
    encoding = serialization.Encoding.PEM
    body = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(body + b"".join(certificate.public_bytes(encoding) for certificate in certificates))
    return path


def _authority(path):
    key = serialization.load_pem_private_key(path.with_suffix(".key").read_bytes(), None)
    return key, x509.load_pem_x509_certificate(path.with_suffix(".pem").read_bytes())


def _stranger():
    """Another authority, of the same name."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lockgate bench")])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - DAY).not_valid_after(now + DAY)
    return key, builder.add_extension(x509.BasicConstraints(True, None), True).sign(key, hashes.SHA256())


def _leaf(directory, label, authority, name, begins, ends):
    signer, issuer = authority
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder().subject_name(x509.Name([])).issuer_name(issuer.subject)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now + begins * DAY).not_valid_after(now + ends * DAY)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    context.load_cert_chain(_pem(directory, label, key, builder.sign(signer, hashes.SHA256())))
    return context


def contexts(directory, authority_path, name):
    """TLS contexts of the server by what is right or wrong with its certificate."""
    ours = _authority(authority_path)
    return {
        "good": _leaf(directory, "good", ours, name, -1, 30),
        "wrong authority": _leaf(directory, "wrong-authority", _stranger(), name, -1, 30),
        "wrong name": _leaf(directory, "wrong-name", ours, "elsewhere.lockgate.test", -1, 30),
        "expired": _leaf(directory, "expired", ours, name, -400, -35),
    }
