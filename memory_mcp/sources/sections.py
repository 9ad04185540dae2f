"""The sections `[sources.NAME]` of `config.toml`: what all kinds share, and what each kind adds.

A section is checked when the sources are first used, not when settings are read: the start stays fast, and a broken
section costs only itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Final, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from memory_common.described import nearest
from memory_mcp.context.models import MEMORY
from memory_mcp.domain.errors import SettingsError
from memory_mcp.domain.models import DOCUMENT
from memory_mcp.domain.principal import Scope
from memory_mcp.domain.sources import MAX_ITEMS

NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def _listed(names: object) -> object:
    return [names] if isinstance(names, str) else names


NameList = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class SourceSection(BaseModel):
    """What every kind has."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    kind: str
    enabled: bool = True
    timeout_ms: int = Field(5_000, ge=10, le=60_000)
    """Of one question, whatever the caller's own deadline."""
    max_items: int = Field(10, ge=1, le=MAX_ITEMS)
    max_bytes: int = Field(1 << 20, ge=1 << 10, le=16 << 20)
    """Of one answer, as it arrives."""
    cache_s: float = Field(60.0, ge=0, le=86_400)
    """How long an answer is kept; 0 keeps none."""
    calls_per_minute: int = Field(60, ge=1, le=100_000)
    scope: Scope = Scope.READ
    """What a caller needs."""
    namespaces: NameList = ()
    """The namespaces whose bound tokens may ask; nobody who is bound to another may."""


COMMON: Final = frozenset(SourceSection.model_fields)

S = TypeVar("S", bound=SourceSection)


def read(kind: type[S], name: str, given: object) -> S:
    """Return a section.

    Raises:
        SettingsError: the first thing that is wrong with it; the message has none of its values.
    """
    place = f"[sources.{name}]"
    if not NAME.fullmatch(name):
        raise SettingsError(f"{place}: name it with a-z, 0-9, _ and -, at most 64 characters")
    if name in {MEMORY, DOCUMENT}:
        raise SettingsError(f"{place}: this is what our own are called; choose another name")
    if not isinstance(given, Mapping):
        raise SettingsError(f"{place}: this is not a section; write its keys under a line {place}")
    try:
        return kind.model_validate(dict(given))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(map(str, first["loc"]))
        if first["type"] == "extra_forbidden":
            raise SettingsError(f"{place}: {key} is not a key{nearest(key, kind.model_fields)}; correct it") from error
        problem = first["msg"].removeprefix("Value error, ")
        problem = problem[:1].lower() + problem[1:]
        raise SettingsError(f"{place}{' ' if key else ''}{key}: {problem}; correct it in config.toml") from error


def common(name: str, given: object) -> SourceSection:
    """Return what every kind has of a section; other keys are left to its kind.

    Raises:
        SettingsError: as `read`.
    """
    shared = {key: value for key, value in given.items() if key in COMMON} if isinstance(given, Mapping) else given
    return read(SourceSection, name, shared)
