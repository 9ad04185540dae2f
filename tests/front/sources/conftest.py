"""What the tests of sources share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping

import pytest

from memory_mcp.documents.sandbox.client import Sandbox
from memory_mcp.domain.ports import Embedder
from memory_mcp.sources.adapter import Toolbox
from memory_mcp.sources.guarded import GuardedSource
from memory_mcp.sources.registry import ConfiguredSources
from memory_mcp.sources.secrets import ReadVariable, filler
from tests.fakes.embedder import FakeEmbedder
from tests.front.sources.web_server import WebServer, web_server

VARIABLES = {"WIKI_KEY": "s3cret-of-the-wiki"}

Make = Callable[..., GuardedSource]


@pytest.fixture
async def server() -> AsyncIterator[WebServer]:
    """Run a web server with faults on demand."""
    async with web_server() as made:
        yield made


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    """Return what makes a source of a section's keys; each is closed at the end."""
    opened: list[ConfiguredSources] = []

    def made(embedder: Embedder | None = None, **section: object) -> GuardedSource:
        sources = configured({"wiki": section}, embedder)
        opened.append(sources)
        assert sources.examined()[1] == []
        return sources.all()[0]

    yield made
    for each in opened:
        await each.close()


def configured(
    sections: Mapping[str, object], embedder: Embedder | None = None, read_variable: ReadVariable = VARIABLES.get
) -> ConfiguredSources:
    """Return the sources of sections."""
    tools = Toolbox(filler(read_variable), embedder or FakeEmbedder(), 1.0, lambda reader: Sandbox(reader=reader))
    return ConfiguredSources(sections, lambda: tools)
