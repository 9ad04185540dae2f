"""The configured sources: read from the sections of `config.toml` when they are first wanted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Final, cast

from memory_common import plugins
from memory_mcp.domain.errors import SettingsError
from memory_mcp.domain.ports import ContextSource
from memory_mcp.domain.principal import Principal, Scope
from memory_mcp.domain.sources import SourceFigures, SourceStatus
from memory_mcp.health.checkup import in_thread
from memory_mcp.sources.adapter import MakeAdapter, SourceAdapter, Toolbox
from memory_mcp.sources.sections import SourceSection, common

if TYPE_CHECKING:
    from memory_mcp.sources.guarded import GuardedSource

KINDS: Final[Mapping[str, str]] = {
    "http": "memory_mcp.sources.http:create",
    "mcp": "memory_mcp.sources.mcp:create",
    "chroma": "memory_mcp.sources.chroma:create",
    "sql": "memory_mcp.sources.sql:create",
}
"""Our own kinds: what makes each is imported only where a section names it."""
GROUP: Final = "memory_mcp.sources"
"""The entry-point group of packages that add kinds."""
MAX_SOURCES: Final = 32


@dataclass(frozen=True, slots=True)
class BrokenSource:
    """A section that makes no source."""

    name: str
    problem: str
    """What is wrong, and what fixes it."""


class ConfiguredSources:
    """See `domain.ports.ContextSources`."""

    def __init__(self, sections: Mapping[str, object], make_toolbox: Callable[[], Toolbox]) -> None:
        self._sections = sections
        self._make_toolbox = make_toolbox
        self._made: tuple[list[GuardedSource], list[BrokenSource]] | None = None

    @property
    def are_any(self) -> bool:
        """Whether there is a section at all."""
        return bool(self._sections)

    def reachable(self, principal: Principal) -> Sequence[ContextSource]:
        """See the port. Whoever asks us as a source gets none: we would be our own."""
        if principal.is_source:
            return ()
        return [source for source in self.all() if may_ask(principal, source.section)]

    def all(self) -> Sequence[GuardedSource]:
        """Return all sources, in the order of the configuration; asking some may tell that its section is wrong."""
        return self._read()[0]

    def examined(self) -> tuple[Sequence[GuardedSource], Sequence[BrokenSource]]:
        """Return the sources whose sections are right, and the sections that are not; imports what they need."""
        sources, broken = self._read()
        right: list[GuardedSource] = []
        wrong = list(broken)
        for source in sources:
            try:
                _ = source.adapter
                right.append(source)
            except SettingsError as error:
                wrong.append(BrokenSource(source.name, str(error)))
        return right, wrong

    async def prepare(self) -> None:
        """See the port."""
        if self._sections:
            await in_thread(self.examined)

    async def statuses(self, principal: Principal) -> Sequence[SourceStatus]:
        """See the port."""
        right, broken = await in_thread(self.examined)
        found = [source.status() for source in right if may_ask(principal, source.section)]
        if principal.is_source or principal.reach.bound or not principal.may(Scope.ADMIN):
            return found
        return found + [SourceStatus(each.name, problem=each.problem) for each in broken]

    def figures(self) -> Sequence[SourceFigures]:
        """Return the counters of those that were made."""
        return [source.figures() for source in self._made[0]] if self._made else ()

    async def close(self) -> None:
        """See the port."""
        if self._made is not None:
            await asyncio.gather(*(source.close() for source in self._made[0]))

    def _read(self) -> tuple[list[GuardedSource], list[BrokenSource]]:
        if self._made is None and not self._sections:
            self._made = [], []
        if self._made is None:
            from memory_mcp.sources.guarded import GuardedSource  # noqa: PLC0415 - the limits, only where there are sources

            sources: list[GuardedSource] = []
            broken: list[BrokenSource] = []
            tools = self._make_toolbox()
            for name, given in list(self._sections.items())[:MAX_SOURCES]:
                try:
                    section = common(name, given)
                    if section.enabled:
                        sources.append(GuardedSource(name, section, partial(_adapter, name, section, given, tools)))
                except SettingsError as error:
                    broken.append(BrokenSource(name, str(error)))
            broken += [
                BrokenSource(name, f"[sources.{name}]: at most {MAX_SOURCES} sources are read; remove some")
                for name in list(self._sections)[MAX_SOURCES:]
            ]
            self._made = sources, broken
        return self._made


def may_ask(principal: Principal, section: SourceSection) -> bool:
    """Say whether a caller may ask a source: it has the scope, and reaches all namespaces or one that is listed."""
    reach = principal.reach
    return principal.may(section.scope) and (not reach.bound or any(map(reach.includes, section.namespaces)))


def _adapter(name: str, section: SourceSection, given: object, tools: Toolbox) -> SourceAdapter:
    assert isinstance(given, Mapping)  # noqa: S101 - for mypy: `common` has looked
    try:
        plugins.checked(GROUP, KINDS, section.kind)
        make = _ours(section.kind) if section.kind in KINDS else plugins.load(plugins.added(GROUP, KINDS)[section.kind])
        return cast("MakeAdapter", make)(name, given, tools)
    except plugins.PluginError as error:
        raise SettingsError(f"[sources.{name}] kind: {error}") from error


def _ours(kind: str) -> MakeAdapter:
    module, _, function = KINDS[kind].partition(":")
    return cast("MakeAdapter", getattr(import_module(module), function))
