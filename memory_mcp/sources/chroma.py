"""The kind `chroma`: a server over its REST API, or a folder (`chroma_folder`).

A server's vectors count as ours only when stored documents, embedded again by our daemon, give the vectors that it
has. Else it is asked for words in the documents' texts.
"""

from __future__ import annotations

import asyncio
import math
import struct
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from operator import mul
from typing import Final
from urllib.parse import quote

from cachetools import TTLCache

from memory_mcp.domain import spelling
from memory_mcp.domain.errors import EmbedderError
from memory_mcp.domain.models import Lane, Task
from memory_mcp.domain.sources import SourceAnswer, SourceItem, SourceQuery
from memory_mcp.health.checkup import in_thread
from memory_mcp.search.lexical.stop_words import FUNCTION_WORDS
from memory_mcp.sources import web
from memory_mcp.sources.adapter import FaultError, SourceAdapter, Toolbox
from memory_mcp.sources.chroma_section import ChromaSection
from memory_mcp.sources.items import text_of, time_of
from memory_mcp.sources.matching import best
from memory_mcp.sources.secrets import masked
from memory_mcp.sources.sections import read
from memory_mcp.sources.web import Web, WebRequest

COMPARED: Final = 8
"""Stored documents that are embedded again."""
MIN_COSINE: Final = 0.999
VERDICT_S: Final = 600.0
"""How long a comparison counts: documents are added, and collections filled anew."""
_WORDS, _OF_A_WORD = 6, 30
"""Words that are looked for in texts, and documents that are taken for each."""
_WRONG: Final = "check url, collections and headers in its section; Chroma 0.6 and later are understood"


@dataclass(frozen=True, slots=True)
class _Verdict:
    """Whether a collection's vectors are ours."""

    space_id: str
    """Of our model; empty where they are not."""
    why: str


class ChromaServer:
    """See `adapter.SourceAdapter`."""

    is_repeatable = True

    def __init__(self, section: ChromaSection, tools: Toolbox) -> None:
        self._section = section
        self._tools = tools
        self._web = Web(section.max_bytes)
        self._ids: dict[str, str] = {}
        self._verdicts: TTLCache[str, _Verdict] = TTLCache(len(section.collections), VERDICT_S)
        """By collection."""
        self._note = ""

    @property
    def target(self) -> str:
        """See the port."""
        return masked(self._section.url)

    @property
    def note(self) -> str:
        """See the port."""
        return self._note

    def version(self) -> Hashable:
        """See the port."""
        return None

    async def ask(self, query: SourceQuery) -> SourceAnswer:
        """See the port."""
        whys: dict[str, str] = {}
        answers = [await self._of_collection(name, query, whys) for name in self._section.collections]
        self._note = "; ".join(f"{name}: asked by document text: {why}" for name, why in whys.items())
        items = [item for answer in answers for item in answer.items]
        items.sort(key=lambda item: -(item.score or 0))
        return SourceAnswer(tuple(items[: query.limit]), max(0, len(items) - query.limit))

    async def close(self) -> None:
        """See the port."""
        await self._web.close()

    async def _of_collection(self, name: str, query: SourceQuery, whys: dict[str, str]) -> SourceAnswer:
        collection = self._ids.get(name) or await self._id(name)
        try:
            return await self._of_known(name, collection, query, whys)
        except BaseException:
            self._ids.pop(name, None)  # one that was made anew has another id
            raise

    async def _of_known(self, name: str, collection: str, query: SourceQuery, whys: dict[str, str]) -> SourceAnswer:
        if not query.text:
            got = await self._post(collection, "get", limit=query.limit, include=["documents", "metadatas"])
            return SourceAnswer(tuple(self._items(name, _flat(got))))
        vector, why = await self._vector(collection, query.text)
        if vector is None:
            whys[name] = why
            return await self._by_text(name, collection, query)
        got = await self._post(
            collection,
            "query",
            query_embeddings=[vector],
            n_results=query.limit,
            include=["documents", "metadatas", "distances"],
        )
        return SourceAnswer(tuple(self._items(name, _nested(got))))

    async def _by_text(self, name: str, collection: str, query: SourceQuery) -> SourceAnswer:
        """Look for each telling word in the texts, and rank what has any."""
        words = _words(query.text)
        asked = (self._having(collection, word) for word in words[:_WORDS])
        found: dict[str, SourceItem] = {}
        for got in await asyncio.gather(*asked):
            found |= {item.uri: item for item in self._items(name, _flat(got))}
        ranked = best(query.text, found.values(), lambda item: f"{item.title} {item.text}", query.limit)
        return SourceAnswer(tuple(ranked))

    async def _having(self, collection: str, word: str) -> Mapping[str, object]:
        spellings = list(dict.fromkeys([word, word.lower(), word.capitalize(), word.upper()]))
        conditions = [{"$contains": spelling_} for spelling_ in spellings]
        where = conditions[0] if len(conditions) == 1 else {"$or": conditions}
        return await self._post(
            collection, "get", limit=_OF_A_WORD, where_document=where, include=["documents", "metadatas"]
        )

    async def _vector(self, collection: str, text: str) -> tuple[list[float] | None, str]:
        """Return the question's vector, if the collection's are of our space, else why they are not."""
        try:
            verdict = self._verdicts.get(collection)
            if verdict is None:
                verdict = self._verdicts[collection] = await self._compared(collection)
            if verdict.space_id:
                _, (vector,) = await self._embedded([text], Task.QUERY, verdict.space_id)
                return vector, ""
        except EmbedderError as error:
            self._verdicts.pop(collection, None)  # our model may be another one now
            return None, f"there are no vectors now ({error})"
        return None, verdict.why

    async def _compared(self, collection: str) -> _Verdict:
        """Embed stored documents again, and compare."""
        got = await self._post(collection, "get", limit=3 * COMPARED, include=["documents", "embeddings"])
        texts, theirs = _list(got.get("documents")), _list(got.get("embeddings"))
        pairs = [
            (text, vector)
            for text, vector in zip(texts, theirs, strict=False)
            if isinstance(text, str) and text.strip() and isinstance(vector, list)
        ][:COMPARED]
        if len(pairs) < COMPARED:
            return _Verdict("", f"it has fewer than {COMPARED} documents to compare vectors with")
        space_id, ours = await self._embedded([text for text, _ in pairs], Task.DOCUMENT, None)
        cosines = [
            _cosine(our, [float(number) for number in their]) for our, (_, their) in zip(ours, pairs, strict=True)
        ]
        if min(cosines) < MIN_COSINE:
            return _Verdict("", f"its vectors are not of our model (cosine {min(cosines):.3f}, {MIN_COSINE} is needed)")
        return _Verdict(space_id, "")

    async def _embedded(self, texts: Sequence[str], task: Task, space_id: str | None) -> tuple[str, list[list[float]]]:
        tools = self._tools
        made = await tools.embedder.embed(
            texts, task=task, lane=Lane.INTERACTIVE, budget_s=tools.embed_budget_s, expected_space=space_id
        )
        vectors = [item.vector for item in made.items]
        if any(vector is None for vector in vectors):
            raise EmbedderError("a text was not embedded")
        return made.space.id, [_floats(vector) for vector in vectors if vector is not None]

    async def _id(self, name: str) -> str:
        got = await self._json("GET", f"collections/{quote(name, safe='')}")
        found = got.get("id")
        if not isinstance(found, str):
            raise FaultError(f"its answer about the collection {name} has no id", _WRONG)
        self._ids[name] = found
        return found

    async def _post(self, collection: str, what: str, **body: object) -> Mapping[str, object]:
        return await self._json("POST", f"collections/{quote(collection, safe='')}/{what}", body)

    async def _json(self, method: str, place: str, body: object = None) -> Mapping[str, object]:
        section = self._section
        url, headers = await in_thread(self._address)
        base = f"{url}/api/v2/tenants/{quote(section.tenant)}/databases/{quote(section.database)}"
        page = await self._web.fetch(
            WebRequest(method, f"{base}/{place}", {"accept": "application/json", **headers}, body)
        )
        got = web.parsed(page)
        if not isinstance(got, dict):
            raise FaultError("it answers what Chroma does not", _WRONG)
        return got

    def _address(self) -> tuple[str, Mapping[str, str]]:
        section, fill = self._section, self._tools.fill
        return fill(section.url), {name: fill(value) for name, value in section.headers.items()}

    def _items(self, collection: str, rows: Sequence[tuple[object, object, object, object]]) -> Sequence[SourceItem]:
        section = self._section
        items = []
        for name, text, metadata, distance in rows:
            held = metadata if isinstance(metadata, dict) else {}
            if isinstance(text, str):
                title = _first(held, section.title) or text_of(name)
                uri = _first(held, section.uri) or f"chroma:{collection}/{text_of(name)}"
                when = next((held[key] for key in section.time if held.get(key)), None)
                score = 1 / (1 + distance) if isinstance(distance, int | float) and distance >= 0 else None
                items.append(SourceItem(text, title, uri, time_of(when), score))
        return items


def _flat(got: Mapping[str, object]) -> list[tuple[object, object, object, object]]:
    """Return the rows of `get`."""
    ids = _list(got.get("ids"))
    documents, metadatas = _list(got.get("documents")), _list(got.get("metadatas"))
    metadatas = metadatas or [None] * len(ids)
    return [(*row, None) for row in zip(ids, documents, metadatas, strict=False)]


def _nested(got: Mapping[str, object]) -> list[tuple[object, object, object, object]]:
    """Return the rows of `query`: each field is a list with one list for the one question."""
    fields = [_list(next(iter(_list(got.get(name))), None)) for name in ("ids", "documents", "metadatas", "distances")]
    return [(name, text, metadata, distance) for name, text, metadata, distance in zip(*fields, strict=False)]


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _first(held: Mapping[str, object], keys: Sequence[str]) -> str:
    return next((text_of(held[key]) for key in keys if held.get(key) is not None), "")


def _words(question: str) -> list[str]:
    """Return the distinct words of a question as it writes them, the longest first; Chroma looks for their letters."""
    words = dict.fromkeys(spelling.words(question))
    telling = [word for word in words if word.lower() not in FUNCTION_WORDS] or list(words)
    return sorted(telling, key=len, reverse=True)


def _floats(vector: bytes) -> list[float]:
    return list(struct.unpack(f"<{len(vector) // 4}f", vector))


def _cosine(one: Sequence[float], other: Sequence[float]) -> float:
    if len(one) != len(other):
        return 0.0
    lengths = math.sqrt(sum(map(mul, one, one)) * sum(map(mul, other, other)))
    return sum(map(mul, one, other)) / lengths if lengths else 0.0


def create(name: str, given: Mapping[str, object], tools: Toolbox) -> SourceAdapter:
    """Return the source of a section."""
    section = read(ChromaSection, name, given)
    if section.url:
        return ChromaServer(section, tools)
    from memory_mcp.sources.chroma_folder import ChromaFolder  # noqa: PLC0415 - apsw and the sandbox, where wanted

    return ChromaFolder(name, section, tools)
