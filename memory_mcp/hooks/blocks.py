"""What a session is told at its start, and with a prompt: the memories of the project, in a block of few characters.

The second composition root: `app` imports the whole program, which takes longer than a hook may.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from memory_mcp.context.models import ContextRequest
from memory_mcp.domain.models import Filters
from memory_mcp.domain.principal import local_user
from memory_mcp.storage.keys import KeyPlace, RememberedKeys
from memory_mcp.storage.sqlite.glance import glance

if TYPE_CHECKING:
    from memory_mcp.context.beginnings import Listing
    from memory_mcp.context.hooks.record import ShownBefore
    from memory_mcp.context.models import ContextItem, Evidence
    from memory_mcp.context.packing import Candidates
    from memory_mcp.context.service import ContextService
    from memory_mcp.domain.ports import Embedder
    from memory_mcp.hooks.quick_settings import HookSettings
    from memory_mcp.storage.sqlite.db.encryption import Keys

CHARS_PER_TOKEN: Final = 4
SMALLER: Final = 0.9
TRIES: Final = 4
PATIENCE_MS: Final = 50
"""That a lock on the store may hold us up; who reads waits for none but an exclusive one."""
VECTOR_S: Final = 0.12
"""The seconds that must be left for the embedder: its client alone takes half of them to import."""
NEAR: Final = 0.5
"""The share of the best one's score that what is shown with a prompt has: nobody asked for it."""
MOST_SHARE: Final = 0.15
"""Of the characters, what one memory may take at a start."""
SOURCES_SHARE: Final = 0.7
"""Of the time left, what sources may take; the rest is for a machine that is busy."""
RESERVE_S: Final = 0.02
"""Of the time left, for packing and printing."""


class HookBlock(NamedTuple):
    """A text, and the (namespace, id) of the memories in it."""

    text: str
    shown: tuple[tuple[str, str], ...]


class HookRequest(NamedTuple):
    """What a hook asks for."""

    settings: HookSettings
    namespace: str
    omitted: ShownBefore
    fits: Callable[[str], bool]
    """Whether a text is short enough, in the client's form."""
    most_chars: int

    def request(self, query: str = "", budget_ms: int = 500) -> ContextRequest:
        """Return the request; the project's memories alone, unless the settings want more."""
        more = self.settings.hook_sources
        return ContextRequest(
            query,
            Filters(self.namespace),
            local_user(self.namespace),
            max_tokens=self.most_chars // CHARS_PER_TOKEN,
            budget_ms=budget_ms,
            sources=None if more else (),
            omitted=self.omitted,
            with_documents=more,
        )


def at_start(wanted: HookRequest, left_s: float) -> HookBlock | None:
    """Return what a session should know; None if that is nothing, or nothing new.

    Raises:
        StoreError: the store cannot be read.
    """
    from memory_mcp.context.beginnings import listed  # noqa: PLC0415 - not with a prompt
    from memory_mcp.context.packing import Candidates  # noqa: PLC0415 - likewise
    from memory_mcp.context.policy import DEFAULT_CONTEXT  # noqa: PLC0415 - likewise

    with _pages(wanted.settings, left_s) as pages:
        evidence = listed(pages, wanted.request(), DEFAULT_CONTEXT)
    return _packed(wanted, Candidates([_brief(each, wanted.most_chars) for each in evidence]))


@contextlib.contextmanager
def _pages(settings: HookSettings, left_s: float) -> Iterator[Listing]:
    """Open what is listed: a file, or a database."""
    if settings.postgres_url is not None:
        from memory_mcp.storage.postgres import glance as database  # noqa: PLC0415 - not with a file

        with database.pages(settings.postgres_url, left_s) as pages:
            yield pages
        return
    with glance(settings.sqlite_path, PATIENCE_MS, _keys(settings), searches=False) as store:
        yield store.pages()


def _keys(settings: HookSettings) -> Keys:
    """Return what fetches the key of an encrypted store; never from the keychain, which may ask a person."""
    place = KeyPlace(settings.sqlite_path, settings.encryption_key, settings.encryption_key_file, asks_keychain=False)
    return RememberedKeys(place)


def _brief(evidence: Evidence, most_chars: int) -> Evidence:
    """Return a part without the end of what would fill the block alone."""
    most = int(MOST_SHARE * most_chars)
    if len(evidence.text) <= most:
        return evidence
    begins = evidence.text[:most]
    return replace(evidence, passage=lambda: f"{begins.rpartition(' ')[0] or begins} …")


async def with_prompt(wanted: HookRequest, prompt: str, left_s: Callable[[], float]) -> HookBlock | None:
    """Return what fits a prompt; None if nothing does, or nothing new.

    Raises:
        MemoryMcpError: the store cannot be read.
    """
    from memory_mcp.context import memories  # noqa: PLC0415 - not at a session's start
    from memory_mcp.context.packing import Candidates  # noqa: PLC0415 - likewise
    from memory_mcp.context.policy import DEFAULT_CONTEXT  # noqa: PLC0415 - likewise
    from memory_mcp.search.pipeline import SearchPipeline  # noqa: PLC0415 - likewise

    with glance(wanted.settings.sqlite_path, PATIENCE_MS, _keys(wanted.settings), searches=True) as store:
        embedder = _embedder(wanted.settings, left_s())
        try:
            pipeline = SearchPipeline(store, embedder, budget_s=max(RESERVE_S, left_s() - 2 * RESERVE_S))
            request = replace(wanted.request(prompt, max(1, int(1000 * left_s()))), omitted={})  # they set the measure
            found = await memories.search(request, pipeline, store, DEFAULT_CONTEXT)
        finally:
            await embedder.close()
    if found.weak:
        return None
    best = max((each.score or 0.0 for each in found.evidence), default=0.0)
    near = [each for each in found.evidence if (each.score or 0.0) >= NEAR * best]
    new = [each for each in near if each.id not in wanted.omitted.get(each.namespace, ())]
    return _packed(wanted, Candidates(new, {}, found.following))


def _packed(wanted: HookRequest, candidates: Candidates) -> HookBlock | None:
    """Return the block of what fits; a token is so many characters at most, or it is packed again."""
    from memory_mcp.context.packing import pack  # noqa: PLC0415 - not with other systems' answers

    most = wanted.most_chars // CHARS_PER_TOKEN
    for _ in range(TRIES):
        packed = pack(candidates, most)
        if wanted.fits(packed.text):
            return _block(packed.text, packed.items)
        most = int(most * SMALLER * wanted.most_chars / max(len(packed.text), wanted.most_chars))
    return None


def _embedder(settings: HookSettings, left_s: float) -> Embedder:
    """Return the daemon, or nobody where there is no time for it: words find most of it."""
    if left_s < VECTOR_S:
        from memory_mcp.hooks.no_embedder import NoEmbedder  # noqa: PLC0415 - not at a session's start

        return NoEmbedder()
    from embedder_api.v1.address import default_address  # noqa: PLC0415 - likewise

    from memory_mcp.embedder.client import GrpcEmbedder  # noqa: PLC0415 - likewise

    return GrpcEmbedder(settings.embedder_address or default_address(), settings.embedder_tls)


async def from_everywhere(
    wanted: HookRequest, left_s: Callable[[], float], deliver: Callable[[HookBlock | None], None]
) -> None:
    """Deliver what the memories, documents and sources know at a start, for those who have set `hook_sources`.

    The sources are closed afterwards: a server that hangs takes seconds to end.
    """
    from memory_mcp import settings  # noqa: PLC0415 - the whole program, for those alone
    from memory_mcp.app import opened  # noqa: PLC0415 - likewise

    async with opened(settings.load(encryption_keychain_enabled=False), creates=False) as services:
        request = wanted.request("", max(100, int(1000 * SOURCES_SHARE * left_s())))
        deliver(await _assembled(services.context, request, wanted.fits))


async def _assembled(context: ContextService, request: ContextRequest, fits: Callable[[str], bool]) -> HookBlock | None:
    for _ in range(TRIES):
        block = await context.assemble(request)
        if not block.text or fits(block.text):
            return _block(block.text, block.items)
        request = replace(request, max_tokens=int(request.max_tokens * SMALLER * SMALLER))
    return None


def _block(text: str, items: Iterable[ContextItem]) -> HookBlock | None:
    shown = tuple(dict.fromkeys((item.namespace, item.id) for item in items if item.id))
    return HookBlock(text, shown) if text else None
