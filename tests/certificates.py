"""An authority of the tests' own, and certificates of it."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from memory_common.tls_files import TlsFiles

DAY = timedelta(days=1)


class Authority:
    """Signs certificates."""

    def __init__(self, folder: Path, name: str = "Test authority") -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        made = self._begun(self._name, self._key, datetime.now(UTC) + DAY)
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        certificate = made.add_extension(constraints, critical=True).sign(self._key, SHA256())
        self.file = folder / f"{name.replace(' ', '-')}.pem"
        self.file.write_bytes(certificate.public_bytes(Encoding.PEM))

    def make(self, holder: str, *names: str, is_expired: bool = False) -> TlsFiles:
        """Write a certificate for these names and its key, over the ones that the holder had, each file at once."""
        key = ec.generate_private_key(ec.SECP256R1())
        until = datetime.now(UTC) + (-DAY if is_expired else DAY)
        made = self._begun(_named(holder), key, until)
        made = made.add_extension(x509.SubjectAlternativeName([_alternative(name) for name in names]), critical=False)
        files = TlsFiles(self.folder / f"{holder}.crt", self.folder / f"{holder}.key", self.file)
        _replace(files.cert, made.sign(self._key, SHA256()).public_bytes(Encoding.PEM))
        _replace(files.key, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return files

    def _begun(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, until: datetime) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(until - 3 * DAY)
            .not_valid_after(until)
        )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.UniformResourceIdentifier(name) if "://" in name else x509.DNSName(name)


def _replace(file: Path, content: bytes) -> None:
    beside = file.with_suffix(f".{os.getpid()}")
    beside.write_bytes(content)
    beside.rename(file)
