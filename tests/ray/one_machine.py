"""The deployment where all nodes are one machine, whose ports they share.

Serve gives the first replica of each node the same port, and tries the next one where that is taken. With gRPC it does
not notice, because it passes `grpc.so_reuseport` as text, which gRPC ignores. So each replica holds a second port, a
thousand further on, which nobody can share.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import embedder_serve
from ray import serve  # type: ignore[import-not-found]  # in an environment of its own
from ray.serve._private import default_impl  # type: ignore[import-not-found]  # likewise

from embedder_daemon.engines.base import Engine
from embedder_daemon.engines.hash_engine import HashEngine
from embedder_daemon.settings import DaemonSettings

GUARD: Final = 1000
OTHER: Final = "other"
add_address = default_impl.add_grpc_address
guards: list[socket.socket] = []


def add_free_address(server: object, address: str) -> None:
    """Listen on a port that no other replica listens on."""
    guard = socket.socket()
    try:
        guard.bind(("127.0.0.1", int(address.rpartition(":")[2]) + GUARD))
    except OSError as error:
        guard.close()
        raise RuntimeError("the port is taken") from error
    guards.append(guard)
    add_address(server, address)


class OtherModel(HashEngine):
    """Another model, and so another space."""

    facts = replace(HashEngine.facts, space=replace(HashEngine.facts.space, model=OTHER))  # type: ignore[misc]  # all that differs


class EmbedderReplica(embedder_serve.EmbedderReplica):
    """The same, with an engine `hash` that heeds the setting of a model; replicas import the module of their class."""

    def builder(self, chosen: DaemonSettings) -> Callable[[], Engine]:
        """Return what loads the engine."""
        if chosen.engine != HashEngine.facts.name:
            return super().builder(chosen)
        return OtherModel if chosen.model == OTHER else HashEngine


default_impl.add_grpc_address = add_free_address
app = serve.deployment(EmbedderReplica).bind()
