"""The files of a mutual TLS: one's own certificate and key, and the authority of the other side.

They are read again when they change, so that a certificate is renewed without a restart. What does not fit together,
such as a new certificate beside the old key while they are being replaced, is left alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

Stamp = tuple[tuple[int, int, int], ...]
"""Inode, time and size of each file."""


class TlsMaterial(NamedTuple):
    """The contents of the files, PEM."""

    cert: bytes
    key: bytes
    ca: bytes


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where the files lie."""

    cert: Path
    key: Path
    ca: Path

    def stamp(self) -> Stamp:
        """Return what changes when a file is replaced.

        Raises:
            OSError: one is missing.
        """
        looked = [path.stat() for path in (self.cert, self.key, self.ca)]
        return tuple((status.st_ino, status.st_mtime_ns, status.st_size) for status in looked)

    def read(self) -> TlsMaterial:
        """Return the contents.

        Raises:
            ValueError: a file is missing or is none of what it should be; the message names it.
        """
        import ssl  # noqa: PLC0415 - for daemons on a network alone

        material = TlsMaterial(*(_bytes(path) for path in (self.cert, self.key, self.ca)))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(self.cert, self.key, password=str)  # an encrypted key is refused, and nobody asked
        except (ssl.SSLError, OSError, ValueError) as error:
            raise ValueError(f"{self.key} is not the key of the certificate {self.cert}, both PEM") from error
        try:
            context.load_verify_locations(self.ca)
        except (ssl.SSLError, OSError, ValueError) as error:
            raise ValueError(f"{self.ca} holds no certificate of an authority (PEM)") from error
        return material


class RenewedTls:
    """The files as they were read last."""

    def __init__(self, files: TlsFiles) -> None:
        """Read them.

        Raises:
            ValueError: as `TlsFiles.read`.
        """
        self.files = files
        try:
            self._stamp = files.stamp()  # before they are read: what is replaced meanwhile is then read again
        except OSError as error:
            raise ValueError(f"{error.filename} cannot be read: {error.strerror}") from error
        self.material = files.read()

    def renew(self) -> bool:
        """Read them again if they changed; whether what they hold now is whole, and new."""
        try:
            stamp = self.files.stamp()
            if stamp == self._stamp:
                return False
            material = self.files.read()
            if self.files.stamp() != stamp:
                return False  # one was replaced meanwhile
        except (OSError, ValueError):
            return False
        self._stamp, self.material = stamp, material
        return True


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
