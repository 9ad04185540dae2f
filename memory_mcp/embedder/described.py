"""The daemon's settings, read by its own code in a separate process, because the front never imports it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from memory_common.described import Described
from memory_common.reasons import reason
from memory_mcp import settings
from memory_mcp.domain.checks import SETTINGS
from memory_mcp.domain.errors import EmbedderError
from memory_mcp.domain.models import Condition, Finding
from memory_mcp.health.registry import Registry

ASK_SHARE: Final = 0.8
"""Share of the check's time that reading the daemon's settings may take."""


@dataclass(frozen=True, slots=True)
class ReportedSettings:
    """The settings of a daemon started in this environment."""

    file: str
    """Empty if the settings are invalid; `wrong` then has one sentence that says why."""
    settings: Sequence[Described]
    wrong: Sequence[str]
    """One sentence for each unknown name, or for the invalid value."""


def ask(seconds: float) -> ReportedSettings:
    """Read the settings within these seconds.

    Raises:
        EmbedderError: it took longer.
    """
    command = [sys.executable, "-I", "-m", "embedder_daemon.print_settings"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)  # noqa: S603 - ours
    except subprocess.TimeoutExpired as error:
        raise EmbedderError(f"reading the daemon's settings took longer than {seconds:g} s; try again") from error
    if done.returncode:
        return ReportedSettings("", [], [f"the daemon's settings: {reason(done.stderr, done.returncode)}"])
    told = json.loads(done.stdout)
    return ReportedSettings(told["file"], [Described(**each) for each in told["settings"]], told["unknown"])


def register(registry: Registry) -> None:
    """Register the check of the settings."""
    registry.add_blocking(SETTINGS, look)


def look(seconds: float) -> Finding:
    """Check the settings of both programs; the daemon's as if it were started in this environment."""
    ours = settings.look(seconds)
    if ours.condition is Condition.FAILED:
        return ours
    try:
        theirs = ask(ASK_SHARE * seconds)
    except EmbedderError as error:
        return replace(ours, detail=f"{ours.detail}; {error}".lstrip("; "))
    if not theirs.wrong:
        return ours
    return Finding(Condition.DEGRADED, "unknown", "; ".join(filter(None, [ours.cause, *theirs.wrong])), settings.FIX)
