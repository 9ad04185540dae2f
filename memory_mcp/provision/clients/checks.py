"""Doctor's check of the clients' files."""

from __future__ import annotations

from collections.abc import Sequence

from memory_mcp.domain.checks import skipped
from memory_mcp.domain.models import Condition, Finding
from memory_mcp.health.registry import Registry
from memory_mcp.provision.clients import Configured, configured


def register(registry: Registry) -> None:
    """Register the check of the files of all clients."""
    registry.add_blocking("clients", clients)


def clients(seconds: float) -> Finding:
    """Report which clients start us, and whether each one can."""
    del seconds  # it only reads some small files
    return judged(configured())


def judged(held: Sequence[Configured]) -> Finding:
    """Judge our entries in the clients' files."""
    if not held:
        return skipped("no client is configured; memory-mcp install --client NAME configures one")
    broken = [each for each in held if each.problem or not each.runs]
    if not broken:
        names = dict.fromkeys(each.client for each in held)
        return Finding(Condition.OK, "configured", detail=", ".join(names))
    first = broken[0]
    if first.problem:
        return Finding(Condition.DEGRADED, "unreadable", first.problem, f"fix {first.file}")
    cause = f"{first.client} starts {first.command}, which does not exist ({first.file})"
    return Finding(Condition.DEGRADED, "broken", cause, f"memory-mcp install --client {first.client}")
