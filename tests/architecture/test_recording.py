"""The README's recording is of this program, short, and safe to show."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

from rich.style import Style
from rich.text import Text

from scripts import recording

SVG = "{http://www.w3.org/2000/svg}"
ROOT = Path(__file__).parents[2]


def test_the_picture_shows_the_commands_in_half_a_minute() -> None:
    """Each command with an answer after it, all within 30 seconds, and no search that found nothing good."""
    text = recording.PICTURE.read_text(encoding="utf-8")
    tree = ET.fromstring(text)  # noqa: S314 - our own
    lines = ["".join(text.itertext()) for text in tree.iter(f"{SVG}text")]
    typed = [number for number, line in enumerate(lines) if line.startswith("$ ")]
    assert [lines[number].removeprefix("$ ") for number in typed] == list(recording.COMMANDS)
    assert all(after - number > 1 for number, after in zip(typed, [*typed[1:], len(lines)], strict=True))
    assert not [line for line in lines if "Note:" in line or "keywords only" in line]
    seconds = [float(at) for at in re.findall(r"animation-delay:([\d.]+)s", text)]
    assert seconds == sorted(seconds)
    assert seconds[-1] < 30
    assert "(docs/recording.svg)" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_picture_asks_nobody() -> None:
    """No script, no font and no picture from elsewhere."""
    text = recording.PICTURE.read_text(encoding="utf-8")
    assert re.findall(r"https?://[^\"]+", text) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"<script|href|url\(|@import", text)


def test_what_a_terminal_shows_is_drawn_in_its_place() -> None:
    """Markup of the output stays text, and colours begin in their columns."""
    line = recording.Line(1.5, Text.assemble("a <b> ", ("red", Style(color="red", bold=True))))
    drawn = recording.drawn([line])
    assert ET.fromstring(drawn) is not None  # noqa: S314 - our own
    first, second = re.findall(r"<tspan x=\"([\d.]+)\"[^>]*>", drawn)
    assert abs(float(second) - float(first) - 6 * 8.43) < 0.1
    assert 'fill="#f07178" font-weight="bold">red<' in drawn
    assert "a &lt;b&gt; " in drawn
