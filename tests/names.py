"""A server of names that answers for one name with the addresses that it is told."""

from __future__ import annotations

import socket
import struct
import threading
from types import TracebackType
from typing import Final, Self

A: Final = 1
NO_SUCH_NAME: Final = 3


class Names:
    """Answers A queries for `name` over UDP on the loopback; every other name and kind has nothing."""

    def __init__(self, name: str, *addresses: str) -> None:
        self.name = name
        self.addresses = list(addresses)
        """May be changed at any time."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._socket.getsockname()[1]
        return port

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as goodbye:
            goodbye.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            query, sender = self._socket.recvfrom(512)
            if not query:
                return
            self._socket.sendto(self._answer(query), sender)

    def _answer(self, query: bytes) -> bytes:
        """Answer a message of one question (RFC 1035, section 4)."""
        end = query.index(b"\0", 12) + 5
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode())
            at += 1 + query[at]
        (kind,) = struct.unpack(">H", query[end - 4 : end - 2])
        is_known = ".".join(labels).lower() == self.name
        found = [socket.inet_aton(address) for address in self.addresses] if is_known and kind == A else []
        flags = 0x8580 if is_known else 0x8580 | NO_SUCH_NAME
        head = query[:2] + struct.pack(">HHHHH", flags, 1, len(found), 0, 0)
        rows = [struct.pack(">HHHIH", 0xC00C, A, 1, 0, len(row)) + row for row in found]
        return head + query[12:end] + b"".join(rows)
