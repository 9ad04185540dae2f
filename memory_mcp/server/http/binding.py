"""The address that HTTP is served on, and the rules for public addresses."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from memory_mcp.domain.errors import SettingsError

LOOPBACK: Final = "127.0.0.1"
LOCAL_NAMES: Final = ("localhost", "127.0.0.1", "[::1]")
BACKLOG: Final = 512


@dataclass(frozen=True, slots=True)
class Binding:
    """An address, with the TLS files if it is served over TLS."""

    host: str
    port: int
    cert: Path | None = None
    key: Path | None = None

    @classmethod
    def parse(cls, address: str, cert: Path | None, key: Path | None, *, plain: bool) -> Binding:
        """Parse `HOST:PORT`, `[HOST]:PORT` or `PORT`; the default host is loopback.

        Raises:
            SettingsError: it is not an address, or it is public without TLS and without `plain`.
        """
        host, _, port = address.rpartition(":")
        host = host.removeprefix("[").removesuffix("]") or LOOPBACK
        if not (port.isascii() and port.isdigit() and int(port) < 65536):
            raise SettingsError(f"--http: {address!r} is not an address; give HOST:PORT, such as 127.0.0.1:8765")
        if (cert is None) != (key is None):
            raise SettingsError("--tls-cert and --tls-key need each other; give both")
        binding = cls(host, int(port), cert, key)
        if not (binding.is_local or cert or plain):
            raise SettingsError(
                f"--http: {host} is reachable from other machines, and tokens would travel unencrypted; give "
                "--tls-cert and --tls-key, or --plain-http if a proxy in front of this server speaks TLS"
            )
        return binding

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def is_everywhere(self) -> bool:
        """Whether it means every address of this machine."""
        return self.host in {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound

    @property
    def scheme(self) -> str:
        return "https" if self.cert else "http"

    def listen(self) -> socket.socket:
        """Return a listening socket.

        Raises:
            SettingsError: the address is in use, or does not belong to this machine.
        """
        try:
            family = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)[0][0]
            listening = socket.create_server((self.host, self.port), family=family, backlog=BACKLOG)
        except OSError as error:
            raise SettingsError(
                f"--http: cannot listen on {self.host}:{self.port}: {error.strerror}; choose another address"
            ) from error
        # Connections inherit TCP_NODELAY; asyncio sets it only for sockets that it creates. Without it the end of each
        # answer waits 40 ms for the client to acknowledge its beginning.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening

    def hosts(self, port: int, more: Sequence[str]) -> list[str]:
        """Return the accepted Host headers, with and without the port; `port` is the bound one.

        Raises:
            SettingsError: the server listens on every address, but no host names are configured.
        """
        if self.is_everywhere and not more:
            raise SettingsError(
                "MCP_MEMORY_HTTP_ALLOWED_HOSTS is not set; list the host names by which clients reach this server"
            )
        own = f"[{self.host}]" if ":" in self.host else self.host
        names = LOCAL_NAMES if self.is_local else () if self.is_everywhere else (own,)
        return [spelt for name in (*names, *more) for spelt in (name, f"{name}:{port}")]
