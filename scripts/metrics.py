"""The metrics of both programs by name, from their registries; for the reference page and the tests."""

from __future__ import annotations

from dataclasses import dataclass

from embedder_api.v1.embedder_pb2 import InfoResponse, StatsResponse
from prometheus_client import CollectorRegistry

from embedder_daemon.metrics import make_registry
from memory_mcp.server.http.prometheus import Metrics

SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "info": ("_info",)}
"""Suffixes of a metric's name in samples and queries, by kind."""


@dataclass(frozen=True, slots=True)
class Row:
    """A metric."""

    program: str
    name: str
    """As queries begin it; a histogram's go on with a suffix."""
    kind: str
    help: str

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that a query may use for it."""
        if self.kind != "histogram":
            return (self.name,)
        return tuple(self.name + suffix for suffix in SUFFIXES[self.kind])


def table() -> list[Row]:
    """Return all metrics, the front's first, in the order of their registries."""
    daemon = make_registry(StatsResponse, InfoResponse)
    return [*_rows("memory-mcp", Metrics().registry), *_rows("embedder-daemon", daemon)]


def _rows(program: str, registry: CollectorRegistry) -> list[Row]:
    return [
        Row(
            program,
            family.name + (SUFFIXES.get(family.type, ("",))[0] if family.type != "histogram" else ""),
            family.type,
            family.documentation,
        )
        for family in registry.collect()
    ]
