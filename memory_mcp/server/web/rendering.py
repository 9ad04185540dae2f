"""Templates: everything in them is escaped, and a name that is missing is an error."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from memory_mcp.domain.localtime import local
from memory_mcp.server.web.texts import text
from memory_mcp.tools.json_text import tags_text

FOLDER: Final = Path(__file__).with_name("templates")
LONG: Final = 20_000
"""Characters of a content that are shown at once; the rest comes when it is asked for."""


class Templates:
    """The templates, compiled at their first use."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(FOLDER),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.globals.update(t=text, memories=memories_at)
        self._environment.filters.update(
            moment=moment,
            exactly=exactly,
            isolated=isolated,
            number=number,
            size=size,
            json=to_json,
            sentence=sentence,
            tags=tags_text,
        )

    def render(self, template: str, values: Mapping[str, object]) -> str:
        """Return a template's HTML."""
        return self._environment.get_template(template).render(values)


def moment(when: datetime | None) -> Markup:
    """Return a time, which the browser makes relative; the exact one in local time is its title."""
    if when is None:
        return Markup()
    exact = escape(local(when))
    return Markup('<time datetime="{}" title="{}">{}</time>').format(when.isoformat(), exact, exact)


def exactly(when: datetime) -> Markup:
    """Return a time that stays exact."""
    return Markup('<time datetime="{}" data-exact>{}</time>').format(when.isoformat(), local(when))


def memories_at(**filters: str) -> str:
    """Return the address of the memories that fit filters; empty ones are left out."""
    return f"/?{urlencode({name: value for name, value in filters.items() if value})}"


def to_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def isolated(given: object) -> Markup:
    """Return what others wrote, so that neither its direction nor its marks reach the text around it."""
    return Markup("<bdi>{}</bdi>").format(given)


def sentence(given: object) -> Markup:
    """Return an error or a fix, which others may have written parts of; what stands in backticks is code."""
    pieces = str(given).split("`")
    if len(pieces) % 2 == 0:  # one of them is no mark
        return isolated(given)
    marked = (Markup("<code>{}</code>").format(piece) if at % 2 else escape(piece) for at, piece in enumerate(pieces))
    return Markup("<bdi>{}</bdi>").format(Markup().join(marked))


def number(value: float) -> str:
    return f"{value:,}"


def size(count: int) -> str:
    """Return bytes as people read them."""
    amount = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "bytes" or amount >= 100 else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"
