"""Why a program that was started failed, in one line made of what it wrote."""

from __future__ import annotations

import re
import signal
from typing import Final

LIMIT: Final = 600
"""Characters of a reason: a sentence or two for a log or a terminal, not a page."""
_TRACEBACK: Final = "Traceback (most recent call last):"
_PIP: Final = "ERROR: "


def reason(output: str, code: int, lines: int = 1) -> str:
    """Return the whole message of the last exception, pip's errors, or else the last lines.

    Args:
        output: what the program wrote.
        code: its exit code; a negative one is the signal that killed it.
        lines: how many of the last lines are told where there is neither an exception nor an error of pip's.
    """
    written = [line.rstrip() for line in output.splitlines() if line.strip()]
    told = _exception(written) or _errors(written) or written[-lines:]
    if code < 0 or not told:
        told = [*told, _ending(code)]
    text = " ".join(" ".join(told).split())
    return text if len(text) <= LIMIT else f"{text[: LIMIT - 1]}…"


def _exception(lines: list[str]) -> list[str]:
    """Return the message of the last traceback, all of its lines: they follow the indented frames."""
    places = [number for number, line in enumerate(lines) if line.strip() == _TRACEBACK]
    if not places:
        return []
    after = lines[places[-1] + 1 :]
    begins = next((number for number, line in enumerate(after) if re.match(r"[\w.]+(:|$)", line)), len(after))
    return after[begins:]


def _errors(lines: list[str]) -> list[str]:
    return list(dict.fromkeys(line.removeprefix(_PIP) for line in lines if line.startswith(_PIP)))


def _ending(code: int) -> str:
    if code >= 0:
        return f"it ended with exit code {code} and wrote nothing"
    name = signal.Signals(-code).name if -code in signal.valid_signals() else f"signal {-code}"
    return f"killed by {name}" + (", as the system does when memory runs out" if -code == signal.SIGKILL else "")
