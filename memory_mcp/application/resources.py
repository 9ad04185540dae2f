"""The resources: views of the caller's namespace with an address, and which writes change them."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal
from urllib.parse import unquote

from pydantic_core import to_json

from memory_mcp.domain.errors import InvalidArgumentError, NotFoundError, StoreError, cut
from memory_mcp.domain.models import MAX_ID, MAX_TAG, Event, Filters, MissedChanges
from memory_mcp.domain.names import folded, nfc
from memory_mcp.domain.principal import Reach
from memory_mcp.tools.fields import shown
from memory_mcp.tools.fitting import first_of, start_of
from memory_mcp.tools.get import WholeMemory
from memory_mcp.tools.listing import listed
from memory_mcp.tools.search import SHOWN_TITLE, SHOWN_URI
from memory_mcp.tools.services import Services
from memory_mcp.tools.sizes import LIMIT, count_fitting, tokens

SCHEME: Final = "memory://"
MIME_TYPE: Final = "application/json"
MAX_RECENT: Final = 100
SHOWN_SECTIONS: Final = 100
SHOWN_HEADING: Final = 80
"""Maximum characters of a section's headings."""
SHOWN_URIS: Final = 5
SHOWN_TAGS: Final = 1_000
"""Maximum tokens of a document's tags."""
SHOWN_OF_TAG: Final = 100
"""Maximum memories shown for a tag; the newest ones."""

_NUMBER: Final = re.compile("[0-9]{1,3}")  # Python refuses to parse a number with thousands of digits

ResourceKind = Literal["stats", "recent", "tag", "memory", "document"]


@dataclass(frozen=True, slots=True)
class Description:
    """A resource or resource template as clients see it."""

    uri: str
    name: str
    description: str


RESOURCES: Final = (
    Description("memory://stats", "stats", "Counts of memories, conversations and tags"),
    Description("memory://recent/10", "recent", "The ten newest memories"),
)
TEMPLATES: Final = (
    Description("memory://recent/{n}", "recent_n", f"The n newest memories (1-{MAX_RECENT})"),
    Description("memory://tag/{tag}", "tag", f"The newest memories with a tag, at most {SHOWN_OF_TAG}"),
    Description("memory://memory/{id}", "memory", "One memory"),
    Description("memory://document/{id}", "document", f"A document and its first sections, at most {SHOWN_SECTIONS}"),
)


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed resource address."""

    kind: ResourceKind
    of: str = ""
    """The number, the tag or the id."""

    @classmethod
    def parse(cls, uri: str) -> Address:
        """Parse an address.

        Raises:
            InvalidArgumentError: it is not the address of a resource.
        """
        kind, _, rest = uri.removeprefix(SCHEME).partition("/")
        of = nfc(unquote(rest))
        if uri.startswith(SCHEME):
            if kind == "stats" and not rest:
                return cls("stats")
            if kind == "recent" and _NUMBER.fullmatch(of) and 1 <= int(of) <= MAX_RECENT:
                return cls("recent", str(int(of)))
            if kind == "tag" and 1 <= len(of) <= MAX_TAG:
                return cls("tag", of)
            if kind == "memory" and 1 <= len(of) <= MAX_ID:
                return cls("memory", of)
            if kind == "document" and 1 <= len(of) <= MAX_ID:
                return cls("document", of)
        known = ", ".join(["memory://stats", *(template.uri for template in TEMPLATES)])
        raise InvalidArgumentError(
            "uri", f"{cut(uri)!r} is not a resource; choose one of: {known} (n from 1 to {MAX_RECENT})"
        )

    def may_be_touched_by(self, events: Sequence[Event]) -> bool:
        """Return whether these writes in the namespace may have changed the resource."""
        if any(event.kind == "restore" for event in events):
            return True
        if self.kind == "memory":
            return any(self.of in event.memory_ids for event in events)
        if self.kind == "tag":
            return any(folded(self.of) == folded(tag) for event in events for tag in event.tags)
        return True


async def read(services: Services, address: Address, namespace: str) -> str:
    """Return the resource as JSON that costs a model less than 10,000 tokens.

    Raises:
        NotFoundError: the memory or document is not there, or not in this namespace.
    """
    if address.kind == "stats":
        return _json(await services.memories.statistics(namespace))
    if address.kind == "memory":
        whole = WholeMemory.of(await services.memories.get(address.of, Reach.bound_to(namespace)))
        return whole.model_dump_json(exclude={"revisions", "older_revisions"})
    if address.kind == "document":
        return _json(await _document(services, address.of, namespace))
    filters, limit = _selected(address, namespace)
    page = (await listed(services, filters, limit)).structured()
    return _json({name: page[name] for name in ("memories", "total", "shortened") if name != "shortened" or page[name]})


def _selected(address: Address, namespace: str) -> tuple[Filters, int]:
    """Return the filters and the limit of a list."""
    if address.kind == "tag":
        return Filters(namespace, tags=(address.of,)), SHOWN_OF_TAG
    return Filters(namespace), int(address.of)


@contextlib.asynccontextmanager
async def watching(
    services: Services, uri: str, namespace: str, notify: Callable[[str], Awaitable[None]]
) -> AsyncIterator[None]:
    """Call `notify` with the address after each write, by any process, that changes the resource.

    Raises:
        InvalidArgumentError: it is not the address of a resource.
        StoreError: the store cannot be read.
    """
    resource = _Subscribed(services, Address.parse(uri), namespace, partial(notify, uri))
    async with services.watching.listening(resource.hear):
        await resource.begin()  # an error here reaches the subscriber
        task = asyncio.create_task(services.watching.loop(f"notifying about {uri}").run(resource.tell))
        try:
            yield
        finally:
            task.cancel()


class _Subscribed:
    """A subscribed resource and its last known digest."""

    def __init__(
        self, services: Services, address: Address, namespace: str, notify: Callable[[], Awaitable[None]]
    ) -> None:
        self._services = services
        self._address = address
        self._namespace = namespace
        self._notify = notify
        self._seen = b""
        self._heard = 0
        """The number of times it may have changed."""
        self._touched = asyncio.Event()

    def hear(self, events: Sequence[Event] | MissedChanges) -> None:
        """Note writes; missed ones may have changed the resource."""
        if not isinstance(events, MissedChanges):
            ours = [event for event in events if event.namespace == self._namespace]
            if not (ours and self._address.may_be_touched_by(ours)):
                return
        self._heard += 1
        self._touched.set()

    async def begin(self) -> None:
        """Take a digest of the resource as it is now.

        Raises:
            StoreError: the store cannot be read.
        """
        self._seen = await _digest(self._services, self._address, self._namespace)

    async def tell(self) -> None:
        """Call `notify` whenever the resource has changed, until cancelled."""
        while True:
            await self._touched.wait()
            heard = self._heard
            with contextlib.suppress(StoreError):  # the next write checks it again
                now = await _digest(self._services, self._address, self._namespace)
                if now != self._seen:
                    await self._notify()
                    self._seen = now
            if heard == self._heard:  # else it may have changed again meanwhile
                self._touched.clear()


async def _digest(services: Services, address: Address, namespace: str) -> bytes:
    """Return a digest of everything in a resource, including what is too long to show."""
    try:
        about = await _about(services, address, namespace)
    except NotFoundError:
        return b""
    return hashlib.blake2b(_json(about).encode()).digest()


async def _about(services: Services, address: Address, namespace: str) -> object:
    if address.kind == "stats":
        return await services.memories.statistics(namespace)
    if address.kind == "memory":
        return shown(await services.memories.get(address.of, Reach.bound_to(namespace)))
    if address.kind == "document":
        return await _document(services, address.of, namespace)
    filters, limit = _selected(address, namespace)
    page = await services.memories.page(filters, limit=limit, cursor=None)
    return [*map(shown, page.memories), page.total]


async def _document(services: Services, document_id: str, namespace: str) -> dict[str, object]:
    """Return a document with its first sections, whose texts are memories.

    Raises:
        NotFoundError: it is not there, or not in this namespace.
    """
    if services.ingesting is None:
        raise NotFoundError("id: this store keeps no documents")
    reach = Reach.bound_to(namespace)
    document, sections = await services.ingesting.show(document_id, reach, SHOWN_SECTIONS)
    shown_sections: list[dict[str, object]] = [
        {"id": section.memory_id, "section": start_of(" › ".join(section.heading), SHOWN_HEADING), "page": section.page}
        for section in sections
    ]
    about = {
        "id": document.id,
        "uri": start_of(document.uri, SHOWN_URI),
        "uris": [start_of(uri, SHOWN_URI) for uri in document.uris[:SHOWN_URIS]],
        "title": document.title and start_of(document.title, SHOWN_TITLE),
        "media_type": start_of(document.media_type, SHOWN_TITLE),
        "state": document.state,
        "error": document.error and start_of(document.error, SHOWN_URI),
        "pages": document.pages,
        "size": document.stamp.size,
        "digest": document.stamp.digest,
        "tags": first_of(list(document.tags), SHOWN_TAGS),
        "created_at": document.created_at,
        "updated_at": document.updated_at,
        "total": document.sections,
    }
    fits = count_fitting(map(_json, shown_sections), LIMIT - tokens(_json(about)))
    return about | {"sections": shown_sections[:fits]}


def _json(value: object) -> str:
    return to_json(value).decode()
