"""What is known of the embedder daemon and of the breaker in front of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BreakerStatus:
    """The state of the circuit breaker in front of the embedder."""

    state: str = "closed"
    trips: int = 0
    """Number of times it has opened since the process started."""


@dataclass(frozen=True, slots=True)
class DaemonStatus:
    """An embedder's identity, and its counters since it started."""

    state: str
    model: str
    engine: str
    device: str
    precision: str
    space_id: str
    version: str
    uptime_s: float
    counters: Mapping[str, float]
    """By their names on the wire; a lane's counters have its name as prefix."""
    made_by: str = ""
    """The engine and versions that make the vectors: another may embed what this one refused. Empty while unknown."""
