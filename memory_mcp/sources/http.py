"""The kind `http`: a JSON API, asked with GET or POST."""

from __future__ import annotations

import contextlib
from collections.abc import Hashable, Mapping
from typing import Annotated, Final, Literal
from urllib.parse import quote, urlsplit

from cachetools import LRUCache
from pydantic import AfterValidator

from memory_mcp.domain.sources import SourceAnswer, SourceQuery
from memory_mcp.health.checkup import in_thread
from memory_mcp.sources import picking, web
from memory_mcp.sources.adapter import FaultError, Toolbox
from memory_mcp.sources.items import size_of
from memory_mcp.sources.picking import Paths
from memory_mcp.sources.secrets import masked
from memory_mcp.sources.sections import SourceSection, read
from memory_mcp.sources.web import NOT_MODIFIED, Web, WebAnswer, WebRequest

QUERY, LIMIT = "{query}", "{limit}"
PARSED_AT_ONCE: Final = 64 << 10
"""Bytes of JSON; more are parsed in a thread, so that the loop goes on."""
MAX_TAGGED: Final = 4 << 20
"""Bytes of answers kept with their ETag, to be confirmed instead of sent again."""


def valid_url(url: str) -> str:
    """Check a URL template."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise ValueError("give an address that begins with https:// or http://")
    if QUERY in parts.netloc:
        raise ValueError("the question cannot be a part of the server's name")
    if parts.username or parts.password:
        raise ValueError("write no user and password into the URL; use headers")
    return url


class HttpSection(SourceSection):
    """Keys of `[sources.NAME]` with `kind = "http"`."""

    url: Annotated[str, AfterValidator(valid_url)]
    """`{query}` and `{limit}` are put in, escaped."""
    method: Literal["GET", "POST"] = "GET"
    headers: Mapping[str, str] = {}
    body: Mapping[str, object] | None = None
    """JSON of a POST; texts in it may be `{query}` and `{limit}`."""
    repeatable: bool = False
    """Whether a POST changes nothing, so that it may be sent again after a failure."""
    items: str = "$"
    text: str = "$.text"
    title: str = ""
    uri: str = ""
    time: str = ""
    score: str = ""


class HttpSource:
    """See `adapter.SourceAdapter`."""

    note = ""

    def __init__(self, name: str, section: HttpSection, tools: Toolbox) -> None:
        self._section = section
        self._fill = tools.fill
        self._paths = Paths.of(name, section)
        self._web = Web(section.max_bytes)
        self._tagged: LRUCache[str, tuple[str, SourceAnswer]] = LRUCache(
            MAX_TAGGED, getsizeof=lambda kept: len(kept[0]) + size_of(kept[1])
        )

    @property
    def target(self) -> str:
        """See the port."""
        parts = urlsplit(self._section.url)
        return masked(f"{parts.scheme}://{parts.netloc}{parts.path}")

    @property
    def is_repeatable(self) -> bool:
        """See the port."""
        return self._section.method == "GET" or self._section.repeatable

    def version(self) -> Hashable:
        """See the port."""
        return None

    async def ask(self, query: SourceQuery) -> SourceAnswer:
        """See the port."""
        request = await in_thread(lambda: self._request(query))
        known = self._tagged.get(request.url) if request.method == "GET" else None
        headers = request.headers if known is None else {**request.headers, "if-none-match": known[0]}
        page = await self._web.fetch(WebRequest(request.method, request.url, headers, request.json))
        if page.status == NOT_MODIFIED:
            if known is None:
                raise FaultError("it says that nothing changed, but was never asked before", "report it to its owner")
            return known[1]
        if len(page.body) > PARSED_AT_ONCE:
            answer = await in_thread(lambda: self._picked(page, query))
        else:
            answer = self._picked(page, query)
        if request.method == "GET" and (tag := page.headers.get("etag")):
            with contextlib.suppress(ValueError):  # too large to be kept
                self._tagged[request.url] = tag, answer
        return answer

    def _picked(self, page: WebAnswer, query: SourceQuery) -> SourceAnswer:
        return picking.answer(web.parsed(page), self._paths, query.limit)

    async def close(self) -> None:
        """See the port."""
        await self._web.close()

    def _request(self, query: SourceQuery) -> WebRequest:
        section = self._section
        asked = quote(query.text, safe="")
        steps = [step for step in urlsplit(section.url).path.split("/") if QUERY in step]
        if any(step.replace(QUERY, asked) in {".", ".."} for step in steps):
            raise FaultError("the question would lead to another address of it", "ask for words", is_of_query=True)
        url = self._fill(section.url).replace(QUERY, asked).replace(LIMIT, str(query.limit))
        headers = {name: self._fill(value) for name, value in section.headers.items()}
        if any("\n" in value or "\r" in value for value in headers.values()):
            raise FaultError("a header has a line break", "correct the secret or the header in its section")
        body = picking.filled(section.body, query, self._fill) if section.body is not None else None
        return WebRequest(section.method, url, {"accept": "application/json", **headers}, body)


def create(name: str, given: Mapping[str, object], tools: Toolbox) -> HttpSource:
    """Return the source of a section."""
    return HttpSource(name, read(HttpSection, name, given), tools)
