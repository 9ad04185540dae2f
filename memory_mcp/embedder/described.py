"""The daemon's settings, asked of its own code in a process of its own, because the front never imports it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from memory_common.described import Described
from memory_common.reasons import reason
from memory_mcp.domain.errors import EmbedderError


@dataclass(frozen=True, slots=True)
class Told:
    """What a daemon would have that is started from here."""

    file: str
    """Empty where the settings could not be made; the only wrong sentence says why then."""
    settings: Sequence[Described]
    wrong: Sequence[str]
    """A sentence for each name that is no setting, or for what does not fit."""


def ask(seconds: float) -> Told:
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
        return Told("", [], [f"the daemon's settings: {reason(done.stderr, done.returncode)}"])
    told = json.loads(done.stdout)
    return Told(told["file"], [Described(**each) for each in told["settings"]], told["unknown"])
