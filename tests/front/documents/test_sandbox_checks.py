from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import pytest

from memory_mcp.documents.sandbox import checks, macos
from memory_mcp.domain.models import Condition, Finding
from memory_mcp.health.registry import Registry
from tests.front.documents.sandboxes import boxed

SECONDS: Final = 20.0


async def finding(monkeypatch: pytest.MonkeyPatch, reader: str, *, unsandboxed: bool = False) -> Finding:
    """Return what doctor finds with this reader."""
    monkeypatch.setattr(checks, "Sandbox", lambda: boxed(reader))
    registry = Registry()
    checks.register(registry, unsandboxed=unsandboxed)
    return (await registry.machine(SECONDS)).parts["sandbox"]


@pytest.mark.skipif(sys.platform != "linux", reason="other layers")
async def test_the_layers_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Doctor says which layers close around a reader."""
    found = await finding(monkeypatch, "hostile:read")
    assert found.condition is Condition.OK
    assert "seccomp" in found.detail
    assert "resource limits" in found.detail


async def test_a_missing_layer_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the network stays open doctor says so, what follows, and what fixes it."""
    refusing = await finding(monkeypatch, "no_filter:read")
    assert (refusing.condition, refusing.state) == (Condition.DEGRADED, "refusing")
    assert "MCP_MEMORY_INGEST_UNSANDBOXED=1" in refusing.fix
    allowed = await finding(monkeypatch, "no_filter:read", unsandboxed=True)
    assert (allowed.condition, allowed.state) == (Condition.DEGRADED, "open")
    assert "MCP_MEMORY_INGEST_UNSANDBOXED accepts it" in allowed.cause


async def test_without_the_extra_there_is_nothing_to_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    """Documents are an extra: without it the check is skipped."""
    found = await finding(monkeypatch, "not_there:read")
    assert (found.condition, found.detail) == (Condition.SKIPPED, "memory-mcp[documents] is not installed")


async def test_a_reader_process_that_does_not_start_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that dies before its greeting is told, with what fixes it."""
    found = await finding(monkeypatch, "dies:read")
    assert (found.condition, found.state) == (Condition.DEGRADED, "not starting")
    assert "reinstall" in found.fix


def test_the_profile_of_macos(tmp_path: Path) -> None:
    """The profile denies by default, and names the folders as they really are; a quote in one ends no string."""
    odd = tmp_path / 'a "b" \\ c'
    odd.mkdir()
    (tmp_path / "link").symlink_to(odd)
    written = macos.profile([tmp_path / "link", odd])
    assert written.startswith("(version 1)\n(deny default)\n")
    escaped = str(odd.resolve()).replace("\\", "\\\\").replace('"', '\\"')
    assert written.count(f'(subpath "{escaped}")') == 2, "once to read, once to start Python"
    for power in ("network", "file-write*", "mach-lookup", "process-exec*"):
        assert power not in written
    assert written.count("(") == written.count(")")
