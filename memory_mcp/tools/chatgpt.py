"""`search` and `fetch`, the two tools that ChatGPT's connectors and deep research look for.

Their names, arguments and results are OpenAI's (https://platform.openai.com/docs/mcp, "search tool", "fetch tool").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Final

from pydantic import BaseModel, Field

from memory_mcp.domain.models import MAX_QUERY, Filters, Memory
from memory_mcp.search.models import SearchQuery
from memory_mcp.tools.base import Arguments, Call, Result, Tool
from memory_mcp.tools.fields import MemoryId

FOUND: Final = 10
TITLE_CHARS: Final = 80


class ChatGptSearchArguments(Arguments):
    """The query."""

    query: Annotated[str, Field(min_length=1, max_length=MAX_QUERY, description="Question or keywords, any language")]


class Found(BaseModel):
    """A search result."""

    id: str
    title: str
    url: str


class _Json(Result):
    """A result whose text is its JSON, as these clients expect."""

    def text(self) -> str:
        """Return the JSON."""
        return self.model_dump_json(by_alias=True)


class ChatGptSearchResult(_Json):
    """What was found."""

    results: list[Found]

    @property
    def concerns(self) -> Sequence[str]:
        """Return the hits."""
        return [found.id for found in self.results]


class FetchArguments(Arguments):
    """Which memory."""

    id: Annotated[MemoryId, Field(description="The id of a search result")]


class FetchResult(_Json):
    """A memory, whole."""

    id: str
    title: str
    text_: str = Field(serialization_alias="text")
    url: str
    metadata: Mapping[str, str]

    @property
    def concerns(self) -> Sequence[str]:
        """Return its id."""
        return [self.id]


async def search(call: Call, arguments: ChatGptSearchArguments) -> ChatGptSearchResult:
    """Find memories by meaning and words."""
    answer = await call.services.search.run(SearchQuery(arguments.query, Filters(call.reach.namespace), limit=FOUND))
    memories = [hit.memory for hit in answer.hits]
    return ChatGptSearchResult(results=[Found(id=of.id, title=_title(of), url=_url(of)) for of in memories])


async def fetch(call: Call, arguments: FetchArguments) -> FetchResult:
    """Return one memory.

    Raises:
        NotFoundError: no memory has this id.
    """
    memory = await call.services.memories.get(arguments.id, call.reach)
    about = {"type": memory.type, "tags": ", ".join(memory.tags), "created_at": memory.created_at.isoformat()}
    return FetchResult(id=memory.id, title=_title(memory), text_=memory.content, url=_url(memory), metadata=about)


def _title(memory: Memory) -> str:
    line = memory.content.strip().splitlines()[0]
    return line if len(line) <= TITLE_CHARS else line[: TITLE_CHARS - 1] + "…"


def _url(memory: Memory) -> str:
    return f"memory://memory/{memory.id}"


CHATGPT_SEARCH = Tool(
    "search",
    "Search the long-term memory.",
    ChatGptSearchArguments,
    ChatGptSearchResult,
    search,
    read_only=True,
    idempotent=True,
)
CHATGPT_FETCH = Tool(
    "fetch", "Fetch one search result in full.", FetchArguments, FetchResult, fetch, read_only=True, idempotent=True
)
