"""Items out of JSON by JSONPath (RFC 9535), and questions into JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from jsonpath import CompoundJSONPath, JSONPath, JSONPathEnvironment, JSONPathError

from memory_mcp.domain.errors import SettingsError
from memory_mcp.domain.sources import SourceAnswer, SourceItem, SourceQuery
from memory_mcp.sources.adapter import FaultError
from memory_mcp.sources.items import score_of, text_of, time_of
from memory_mcp.sources.secrets import Fill

_ENVIRONMENT: Final = JSONPathEnvironment(strict=True)
"""Without what RFC 9535 does not have."""


class NamesPaths(Protocol):
    """A section with JSONPaths: `items` from the answer, the others from an item; an empty one takes nothing."""

    @property
    def items(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def uri(self) -> str: ...
    @property
    def time(self) -> str: ...
    @property
    def score(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Paths:
    """Compiled JSONPaths."""

    items: JSONPath | CompoundJSONPath
    of_item: Mapping[str, JSONPath | CompoundJSONPath]

    @staticmethod
    def of(name: str, section: NamesPaths) -> Paths:
        """Compile a section's paths.

        Raises:
            SettingsError: one is not a JSONPath.
        """
        keys = ("text", "title", "uri", "time", "score")
        given = {key: str(getattr(section, key)) for key in keys}
        return Paths(
            _compiled(name, "items", section.items),
            {key: _compiled(name, key, path) for key, path in given.items() if path},
        )


def answer(data: object, paths: Paths, limit: int) -> SourceAnswer:
    """Return the items in an answer; one that is a list stands for its members.

    Raises:
        FaultError: it is nested too deeply.
    """
    try:
        found = paths.items.findall(_as_json(data))
    except (RecursionError, JSONPathError) as error:
        raise FaultError("its items cannot be found", "check `items` in its section") from error
    if len(found) == 1 and isinstance(found[0], list):
        found = found[0]
    items = [_item(each, paths) for each in found[:limit]]
    return SourceAnswer(tuple(items), max(0, len(found) - limit))


def filled(value: object, query: SourceQuery, fill: Fill) -> object:
    """Return JSON with the question and the limit in place; a text that is `{limit}` alone becomes a number."""
    if isinstance(value, Mapping):
        return {str(key): filled(each, query, fill) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [filled(each, query, fill) for each in value]
    if not isinstance(value, str):
        return value
    if value == "{limit}":
        return query.limit
    return fill(value).replace("{limit}", str(query.limit)).replace("{query}", query.text)


def _item(given: object, paths: Paths) -> SourceItem:
    if isinstance(given, str):
        return SourceItem(given)
    picked = {key: _first(path, given) for key, path in paths.of_item.items()}
    return SourceItem(
        text_of(picked["text"]) if "text" in picked else "",
        text_of(picked.get("title")),
        text_of(picked.get("uri")),
        time_of(picked.get("time")),
        score_of(picked.get("score")),
    )


def _first(path: JSONPath | CompoundJSONPath, data: object) -> object:
    match = path.match(_as_json(data))
    return match.obj if match else None


def _as_json(data: object) -> Any:  # noqa: ANN401 - JSON, as the library takes it; a text would be parsed again
    return [data] if isinstance(data, str) else data


def _compiled(name: str, key: str, path: str) -> JSONPath | CompoundJSONPath:
    try:
        return _ENVIRONMENT.compile(path)
    except JSONPathError as error:
        raise SettingsError(
            f"[sources.{name}] {key}: {path!r} is not a JSONPath; write it like $.results[*] or $.title"
        ) from error
