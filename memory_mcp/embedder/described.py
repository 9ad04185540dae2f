"""The daemon's settings, asked of its own code in a process of its own, because the front never imports it."""

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
"""Of the check's time that the daemon's code has to tell its settings."""


@dataclass(frozen=True, slots=True)
class ReportedSettings:
    """What a daemon would have that is started from here."""

    file: str
    """Empty where the settings could not be made; the only wrong sentence says why then."""
    settings: Sequence[Described]
    wrong: Sequence[str]
    """A sentence for each name that is no setting, or for what does not fit."""


def ask(seconds: float) -> ReportedSettings:
    """Ask within these seconds.

    Raises:
        EmbedderError: they were too few.
    """
    command = [sys.executable, "-I", "-m", "embedder_daemon.print_settings"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)  # noqa: S603 - ours
    except subprocess.TimeoutExpired as error:
        raise EmbedderError(f"the daemon's settings were not told in {seconds:g} s; try again") from error
    if done.returncode:
        return ReportedSettings("", [], [f"the daemon's settings: {reason(done.stderr, done.returncode)}"])
    told = json.loads(done.stdout)
    return ReportedSettings(told["file"], [Described(**each) for each in told["settings"]], told["unknown"])


def register(registry: Registry) -> None:
    """Register the check of the settings."""
    registry.add_blocking(SETTINGS, look)


def look(seconds: float) -> Finding:
    """Judge the settings of both programs; the daemon's are those that one would have that is started from here."""
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
