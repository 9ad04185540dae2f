"""`make recording`: runs the program in a terminal of its own and writes what it showed, when, as docs/recording.svg.

The daemon and the store are its own and new. Everything but the typing is at the recorded pace.
"""

from __future__ import annotations

import os
import pty
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Final

from rich.style import Style
from rich.text import Text

from scripts import local_daemon
from scripts.local_daemon import ROOT

PICTURE: Final = ROOT / "docs" / "recording.svg"
COLUMNS: Final = 96
COMMANDS: Final = (
    'memory-mcp store "My sister is allergic to peanuts and tree nuts" --tag family',
    'memory-mcp store "The spare key of the boat house hangs behind the clock" --tag home',
    'memory-mcp store "Our flight to Lisbon leaves on the third of June" --tag travel',
    "memory-mcp search which nuts are dangerous for my sister --limit 1",
    "memory-mcp search when does our flight to Portugal leave --limit 1",
)
TYPING_S: Final = 0.03
"""A character; a person types at a third of that."""
READING_S: Final = 1.2
"""Between an answer and the next command."""
_LINE: Final = 18.0
_CHARACTER: Final = 8.43
_MARGIN: Final = 16.0
_COLOURS: Final = ("#3b4252", "#f07178", "#c3e88d", "#ffcb6b", "#82aaff", "#c792ea", "#89ddff", "#d8dee9")
_STYLE: Final = """\
text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace }
text { white-space: pre; fill: #d8dee9 }
g { animation: shown 0.01s backwards }
@keyframes shown { from { opacity: 0 } }
@media (prefers-reduced-motion: reduce) { g { animation: none } }
"""


@dataclass(frozen=True)
class Line:
    """A line of the terminal and the second at which it appears."""

    at: float
    text: Text


def main() -> None:
    """Record, and draw."""
    with tempfile.TemporaryDirectory(prefix="mm", dir="/tmp") as folder:
        address = f"unix:{folder}/e.sock"
        daemon = local_daemon.ensure(address)
        try:
            lines = list(session(environment(Path(folder), address)))
        finally:
            if daemon:
                daemon.terminate()
                daemon.wait()
    PICTURE.write_text(drawn(lines), encoding="utf-8")


def environment(folder: Path, address: str) -> dict[str, str]:
    """Return variables for a new store, a terminal of our width, and colours."""
    own = {"HOME": str(folder), "MCP_MEMORY_SQLITE_PATH": str(folder / "memory.db")}
    own["MCP_MEMORY_EMBEDDER_ADDRESS"] = address
    terminal = {"COLUMNS": str(COLUMNS), "LINES": "40", "TERM": "xterm-256color", "PAGER": "cat", "LANG": "C.UTF-8"}
    path = f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"
    return {**own, **terminal, "PATH": path}


def session(variables: dict[str, str]) -> Iterator[Line]:
    """Type each command and yield what is then to be seen."""
    now = 0.5
    for command in COMMANDS:
        yield Line(now, Text.assemble(("$ ", Style(color="green", bold=True)), command))
        now += len(command) * TYPING_S
        began = now
        for after, text in shown(command, variables):
            now = began + after
            yield Line(now, text)
        now += READING_S
        yield Line(now, Text())


def shown(command: str, variables: dict[str, str]) -> Iterator[tuple[float, Text]]:
    """Run a command in a terminal; yield each line with the seconds since its start."""
    ours, its = pty.openpty()
    began = time.monotonic()
    process = subprocess.Popen(  # noqa: S602 - our own words, quoted as a person types them
        command, shell=True, env=variables, stdin=its, stdout=its, stderr=its, close_fds=True
    )
    os.close(its)
    with open(ours, "rb", buffering=0) as terminal:  # noqa: PTH123 - a descriptor
        rest = b""
        while chunk := read(terminal.fileno()):
            *whole, rest = (rest + chunk).replace(b"\r\n", b"\n").split(b"\n")
            yield from ((time.monotonic() - began, Text.from_ansi(line.decode())) for line in whole)
    if process.wait():
        raise SystemExit(f"memory-mcp: `{command}` failed; nothing was recorded")


def read(terminal: int) -> bytes:
    """Return what a terminal shows next; nothing once its last program has ended."""
    try:
        return os.read(terminal, 65536)
    except OSError:  # EIO: Linux says so at the end
        return b""


def drawn(lines: list[Line]) -> str:
    """Return the picture; a viewer that does not animate shows its end."""
    width, height = COLUMNS * _CHARACTER + 2 * _MARGIN, len(lines) * _LINE + 2 * _MARGIN
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" role="img">\n'
        "<title>A terminal: memories are stored and found again by their meaning</title>\n"
        f'<style>\n{_STYLE}</style>\n<rect width="100%" height="100%" rx="8" fill="#1b1f2b"/>\n'
    )
    places = ((line, _MARGIN + (number + 0.75) * _LINE) for number, line in enumerate(lines))
    return head + "".join(row(line, y) for line, y in places if line.text.plain.strip()) + "</svg>\n"


def row(line: Line, y: float) -> str:
    """Return one line of the terminal, its parts in their columns and colours."""
    parts = "".join(
        f'<tspan x="{_MARGIN + column * _CHARACTER:.1f}"{look(style)}>{escape(text)}</tspan>'
        for column, text, style in runs(line.text)
    )
    return f'<g style="animation-delay:{line.at:.2f}s"><text y="{y:.1f}">{parts}</text></g>\n'


def runs(text: Text) -> Iterator[tuple[int, str, Style]]:
    """Yield the parts of a line that look alike, with their columns."""
    styles = [Style()] * len(text.plain)
    for span in text.spans:
        for index in range(span.start, span.end):
            styles[index] += span.style if isinstance(span.style, Style) else Style.parse(span.style)
    start = 0
    for index in range(1, len(styles) + 1):
        if index == len(styles) or styles[index] != styles[start]:
            yield start, text.plain[start:index], styles[start]
            start = index


def look(style: Style) -> str:
    """Return a style's attributes."""
    number = style.color.number if style.color else None
    fill = f' fill="{_COLOURS[number % 8]}"' if number is not None and number < 16 else ""
    weight = ' font-weight="bold"' if style.bold else ""
    return fill + weight + (' opacity="0.6"' if style.dim else "")


if __name__ == "__main__":
    main()
