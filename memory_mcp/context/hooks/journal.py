"""The log of the hooks, a bounded file: a client shows nobody what a hook says on stderr. Doctor reads it."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from memory_mcp.environment import own_folder

if TYPE_CHECKING:  # a hook has no time for them
    from memory_mcp.domain.models import Finding
    from memory_mcp.health.registry import Registry

MOST_BYTES: Final = 200_000
"""Of the file; then it gets `.1` behind its name, and a new one begins."""
READ_BYTES: Final = 20_000
"""Of its end, which doctor looks at."""
RECENT_S: Final = 7 * 86_400.0
FIX: Final = "see the log; `memory-mcp install --client NAME --hooks --uninstall` takes the hooks out"


def state_folder() -> Path:
    """Return the folder of the log and the records."""
    return own_folder("state") / "hooks"


def log_file() -> Path:
    """Return the hooks' log."""
    return state_folder() / "hooks.log"


class Journal(NamedTuple):
    """The file."""

    path: Path

    def note(self, client: str, event: str, outcome: str, *, took_ms: int, cause: str = "") -> None:
        """Add one line; a disk that takes none is no reason to fail. Nothing that is remembered stands in it."""
        entry = {"at": round(time.time(), 3), "client": client, "event": event, "outcome": outcome, "ms": took_ms}
        line = json.dumps(entry | ({"cause": cause} if cause else {}), ensure_ascii=False)
        with contextlib.suppress(OSError):
            self._make_room()
            with open(os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600), "ab") as file:  # noqa: PTH123 - the mode
                file.write(line.encode("utf-8", "replace") + b"\n")

    def _make_room(self) -> None:
        try:
            size = self.path.stat().st_size
        except FileNotFoundError:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return
        if size > MOST_BYTES:
            self.path.replace(self.path.with_name(f"{self.path.name}.1"))

    def latest(self) -> dict[tuple[str, str], Mapping[str, object]]:
        """Return the last line of each client and event."""
        try:
            with self.path.open("rb") as file:
                file.seek(max(0, self.path.stat().st_size - READ_BYTES))
                lines = file.read().splitlines()
        except OSError:
            return {}
        found: dict[tuple[str, str], Mapping[str, object]] = {}
        for line in lines:
            with contextlib.suppress(ValueError):  # the first one is cut
                entry = json.loads(line)
                found[str(entry["client"]), str(entry["event"])] = entry
        return found


def register(registry: Registry) -> None:
    """Register doctor's check of the hooks."""
    registry.add_blocking("hooks", partial(look, Journal(log_file())))


def look(journal: Journal, seconds: float) -> Finding:
    """Report how the last run of each hook ended."""
    from memory_mcp.domain.checks import skipped  # noqa: PLC0415 - see above
    from memory_mcp.domain.models import Condition, Finding  # noqa: PLC0415 - see above

    del seconds  # it reads one small file
    since = time.time() - RECENT_S
    ran = {key: entry for key, entry in journal.latest().items() if _number(entry, "at") >= since}
    if not ran:
        return skipped("no client has run a hook in the last week")
    told = ", ".join(
        f"{' '.join(key)} {entry.get('outcome')} ({_number(entry, 'ms'):.0f} ms)" for key, entry in ran.items()
    )
    if failed := [(key, entry) for key, entry in ran.items() if entry.get("outcome") == "failed"]:
        (client, event), entry = failed[0]
        cause = f"the last {event} of {client} showed nothing: {entry.get('cause')} ({journal.path})"
        return Finding(Condition.DEGRADED, "failing", cause, FIX, told)
    return Finding(Condition.OK, "running", detail=told)


def _number(entry: Mapping[str, object], name: str) -> float:
    value = entry.get(name)
    return float(value) if isinstance(value, int | float) else 0.0
