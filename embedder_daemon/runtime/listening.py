"""Where a daemon listens: a socket of this machine, or a port of a network."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import grpc
from embedder_api.v1.address import SCHEME

from embedder_daemon.errors import DaemonError, SocketLostError
from embedder_daemon.runtime import endpoint
from embedder_daemon.settings import DaemonSettings

if TYPE_CHECKING:
    from embedder_daemon.runtime.network import Refuse

_EVERY_S: Final = 2.0


class Place(Protocol):
    """One address."""

    beside: Path
    """Where its lock lies, and the quarantine."""
    name: str
    """Of this daemon among those of a network; empty for a socket."""
    options: tuple[tuple[str, int], ...]
    """More of gRPC's."""

    def interceptors(self, refuse: Refuse) -> tuple[grpc.aio.ServerInterceptor, ...]:
        """Return what stands before every call."""
        ...

    def check_way(self) -> None:
        """Check that nothing strange is there; call it under the lock."""
        ...

    def bind(self, server: grpc.aio.Server) -> None:
        """Listen."""
        ...

    async def until_lost(self) -> DaemonError:
        """Return why nobody can reach this daemon any more, once that is so."""
        ...

    def remove(self) -> None:
        """Leave nothing behind."""
        ...


def place_of(settings: DaemonSettings) -> Place:
    """Return the place that the settings name.

    Raises:
        AddressError: the daemon cannot listen there.
    """
    if settings.address.startswith(SCHEME) or ":" not in settings.address:
        return Socket(settings.address)
    from embedder_daemon.runtime.network import Port  # noqa: PLC0415 - for daemons on a network alone

    return Port(settings)


class Socket:
    """See `Place`."""

    name = ""
    options: tuple[tuple[str, int], ...] = ()

    def __init__(self, address: str) -> None:
        self.beside = endpoint.path_of(address)
        self._ours: endpoint.Identity = (0, 0)

    def interceptors(self, refuse: Refuse) -> tuple[grpc.aio.ServerInterceptor, ...]:
        del refuse  # the socket's mode says who may call
        return ()

    def check_way(self) -> None:
        endpoint.check_way(self.beside)

    def bind(self, server: grpc.aio.Server) -> None:
        self._ours = endpoint.bind(self.beside, server.add_insecure_port)

    async def until_lost(self) -> SocketLostError:
        while endpoint.stands(self.beside, self._ours):  # noqa: ASYNC110 - there is no event for a removed file
            await asyncio.sleep(_EVERY_S)
        return SocketLostError(
            f"the socket {self.beside} was removed or replaced; exclude its folder from cleanup jobs"
        )

    def remove(self) -> None:
        endpoint.remove(self.beside, self._ours)
