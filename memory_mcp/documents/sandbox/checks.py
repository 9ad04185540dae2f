"""The check of the sandbox, for doctor: which layers the box of a reader has here."""

from __future__ import annotations

from functools import partial
from typing import Final

from memory_mcp.documents.sandbox.client import Sandbox
from memory_mcp.documents.sandbox.process import SandboxError
from memory_mcp.domain.checks import Inquiry
from memory_mcp.domain.models import Condition, Finding
from memory_mcp.health.registry import Registry


def register(registry: Registry, *, unsandboxed: bool) -> None:
    """Register the check; `unsandboxed` is the setting that lets documents be read without a box."""
    registry.add("sandbox", partial(look, unsandboxed=unsandboxed))


async def look(inquiry: Inquiry, sandbox: Sandbox | None = None, *, unsandboxed: bool) -> Finding:
    """Start a reader process and say what it can close around a reader."""
    del inquiry  # the registry holds to its seconds
    try:
        async with sandbox or Sandbox() as started:
            layers = await started.layers()
    except SandboxError as error:
        return Finding(Condition.DEGRADED, "unavailable", str(error), _INSTALL)
    if layers.are_enough:
        return Finding(Condition.OK, "closed", detail=str(layers))
    cause = f"this system offers {layers} alone, which leave the network open to a document's reader"
    if unsandboxed:
        return Finding(Condition.DEGRADED, "open", f"{cause}; MCP_MEMORY_INGEST_UNSANDBOXED accepts it", _FIX)
    return Finding(Condition.DEGRADED, "refusing", f"{cause}; so no document is read", _FIX)


_INSTALL: Final = "install memory-mcp[documents] to read files; the rest works without it"
_FIX: Final = "use a Linux kernel with seccomp on x86-64 or ARM64, or macOS, or set MCP_MEMORY_INGEST_UNSANDBOXED=1"
