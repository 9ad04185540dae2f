"""Extracts from a failed program's output why it failed, in one line."""

from __future__ import annotations

import itertools
import re
import signal
from typing import Final

LIMIT: Final = 600
"""Maximum characters of a reason: a sentence or two for a log or a terminal."""
_PIP: Final = "ERROR: "
_HEADING: Final = re.compile(r"\s*(?P<group>\+ Exception Group )?Traceback \(most recent call last\):")
_IN_GROUP: Final = re.compile(r"\s+\| ?")
_NO_REASON: Final = re.compile(
    r"""
    # An exception that ended nothing, with its traceback if any, and the first line of its message.
    ^(?:Exception[ ]ignored[ ]|Exception[ ]in[ ]thread[ ]|Error[ ]in[ ]atexit|---[ ]Logging[ ]error[ ]---$
       |Task[ ]exception[ ]was[ ]never[ ]retrieved)
     .*(?:\nfuture:[ ].*)?(?:\nTraceback[ ]\(most[ ]recent[ ]call[ ]last\):(?:\n[ \t].*)*)?(?:\n\S.*)?
     (?:\nCall[ ]stack:(?:\n[ \t].*)*\nMessage:[ ].*\nArguments:[ ].*)?
    # A warning, with its line of source.
    |^\S.*:\d+:[ ]\w*Warning:[ ].*(?:\n[ \t].*)?
    # The stacks and modules that Python lists when it crashes.
    |^(?:Current[ ]thread|Thread[ ]0x|Stack[ ]\(most[ ]recent).*(?:\n[ \t].*)*
    |^Extension[ ]modules:[ ].*
    """,
    re.MULTILINE | re.VERBOSE,
)
"""Output that does not explain why a program ended."""


def reason(output: str, code: int, lines: int = 1) -> str:
    """Return the message of the last exception, else pip's errors, else the last lines.

    Args:
        output: the program's output.
        code: its exit code; a negative one is the signal that killed it.
        lines: the number of last lines to return if there is neither an exception nor an error of pip.
    """
    written = [line.rstrip() for line in output.splitlines() if line.strip()]
    relevant = _NO_REASON.sub("", "\n".join(written)).split("\n")  # an empty line in place of what was removed
    told = _exception(relevant) or _errors(written) or [line for line in relevant if line][-lines:]
    told = told or _exception(written) or written[-lines:]
    if code < 0 or not told:
        told = [*told, _ending(code)]
    text = " ".join(" ".join(told).split())
    return text if len(text) <= LIMIT else f"{text[: LIMIT - 1]}…"


def _exception(lines: list[str]) -> list[str]:
    """Return the message of the last traceback, up to an empty line."""
    headings = [(number, found) for number, line in enumerate(lines) if (found := _HEADING.fullmatch(line))]
    if not headings:
        return []
    number, heading = headings[-1]
    after = lines[number + 1 :]
    if heading["group"]:
        return _messages(after)
    message = itertools.dropwhile(lambda line: line.startswith((" ", "\t")), after)
    return list(itertools.takewhile(bool, message))


def _messages(lines: list[str]) -> list[str]:
    """Return the messages of an exception group and of its members, which have a margin of |."""
    inside = [_IN_GROUP.sub("", line, count=1) for line in lines if _IN_GROUP.match(line)]
    told = (line for line in inside if line and not line.startswith(" "))
    return [line for line in told if not line.endswith("Traceback (most recent call last):")]


def _errors(lines: list[str]) -> list[str]:
    return list(dict.fromkeys(line.removeprefix(_PIP) for line in lines if line.startswith(_PIP)))


def _ending(code: int) -> str:
    if code >= 0:
        return f"it exited with code {code} and no output"
    name = signal.Signals(-code).name if -code in signal.valid_signals() else f"signal {-code}"
    return f"killed by {name}" + (", as the system does when memory runs out" if -code == signal.SIGKILL else "")
