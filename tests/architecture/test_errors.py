"""Every failure has a code, every code has its place in MCP and HTTP, and nothing else gets out."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import mcp_types as types
import pytest
import structlog
from mcp import Client
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from starlette.responses import JSONResponse

import memory_mcp
from memory_mcp.application.stack import make_dispatcher
from memory_mcp.domain.errors import Code, ForbiddenError, InternalError, MemoryMcpError, RateLimitedError
from memory_mcp.server.http import errors as http
from memory_mcp.server.lazy_services import LazyServices
from memory_mcp.server.mcp import errors as mcp
from memory_mcp.server.mcp.handlers import make_server
from memory_mcp.server.mcp.project import LocalCallers
from memory_mcp.settings import load
from memory_mcp.tools.services import Services

PLACE = "the key is under the mat"


def kinds(base: type[MemoryMcpError] = MemoryMcpError) -> Iterator[type[MemoryMcpError]]:
    """Yield every class of errors of the product, wherever it is defined."""
    for module in pkgutil.walk_packages(memory_mcp.__path__, "memory_mcp."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    waiting = [base]
    while waiting:
        kind = waiting.pop()
        if kind.__module__.startswith("memory_mcp."):
            yield kind
        waiting += kind.__subclasses__()


def made(kind: type[MemoryMcpError]) -> MemoryMcpError:
    """Make an error without its own constructor, whose arguments differ."""
    error = kind.__new__(kind, "what happened; what fixes it")
    error.request_id = "0" * 32
    if isinstance(error, RateLimitedError):
        error.retry_after_s = 1.5
    return error


def test_every_kind_of_error_has_a_code_of_its_own_or_its_parents() -> None:
    """Only a bug is `internal`: an expected failure says what it is."""
    for kind in kinds():
        assert (kind.code is Code.INTERNAL) == (kind in {MemoryMcpError, InternalError}), kind


def test_every_code_is_some_errors() -> None:
    """None stands for nothing, and none has two families of errors."""
    named = [kind for kind in kinds() if "code" in vars(kind)]
    assert sorted(kind.code for kind in named) == sorted(Code)


def test_the_tables_are_complete() -> None:
    """Each code has one number of the protocol and one status of HTTP."""
    assert mcp.PROTOCOL_CODES.keys() == http.STATUSES.keys() == set(Code)


def test_every_error_reaches_mcp_and_can_be_read_back() -> None:
    """As the protocol's error and as a tool's result: the number, the code, the sentence and the request."""
    for error in map(made, kinds()):
        protocol, result = mcp.to_protocol(error).error, mcp.to_result(error)
        assert (protocol.code, protocol.message) == (mcp.PROTOCOL_CODES[error.code], str(error))
        assert result.is_error
        assert [block.text for block in result.content if isinstance(block, types.TextContent)] == [str(error)]
        for about in (protocol.data, result.meta):
            assert mcp.code_in(about) is error.code
            assert isinstance(about, dict)
            assert about[mcp.REQUEST_KEY] == error.request_id
            assert (about.get(mcp.RETRY_KEY) == 1.5) == isinstance(error, RateLimitedError)


@pytest.mark.parametrize("about", [None, {}, {"memory-mcp/error": "no code of ours"}, "text"])
def test_what_is_none_of_our_errors_has_no_code(about: object) -> None:
    """A client meets the errors of the SDK, too."""
    assert mcp.code_in(about) is None


def test_a_page_says_when_to_come_back() -> None:
    """In whole seconds, never too early."""
    response = http.to_response(RateLimitedError("too many", 1.5))
    assert (response.status_code, response.headers["Retry-After"]) == (429, "2")
    assert isinstance(http.to_response(ForbiddenError("no")), JSONResponse)


class StrangeError(MemoryMcpError):
    """An error of a kind that named no code: somebody forgot it."""


class BrokenServices(LazyServices):
    """Fails in a way that nobody expected."""

    def __init__(self, failure: Exception) -> None:
        super().__init__(load())
        self._failure = failure

    async def get(self) -> Services:
        """Fail."""
        raise self._failure


def server(failure: Exception) -> Server[dict[str, object]]:
    """Return a server whose every look at memories ends in a failure."""
    services = BrokenServices(failure)
    dispatcher = make_dispatcher(load(), services.get, rate_limited=False)
    return make_server(load(), services, dispatcher, LocalCallers("default"), is_local=True)


@pytest.fixture(autouse=True)
def _log_to_stderr() -> Iterator[None]:
    """Leave the log as it was."""
    yield
    structlog.reset_defaults()


@pytest.mark.parametrize("failure", [StrangeError(PLACE), RuntimeError(PLACE), ExceptionGroup(PLACE, [OSError()])])
async def test_what_nobody_expected_becomes_internal(failure: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    """A tool's result and the protocol's error name the request, and the log what happened."""
    async with Client(server(failure)) as client:
        result = await client.call_tool("memory_search", {"query": "wine"})
        with pytest.raises(MCPError) as caught:
            await client.read_resource("memory://stats")
    logged = "".join(capsys.readouterr())
    assert logged.count("a request failed") == 2
    assert PLACE in logged
    for about, told in ((result.meta, result.model_dump_json()), (caught.value.error.data, str(caught.value))):
        assert mcp.code_in(about) is Code.INTERNAL
        assert isinstance(about, dict)
        assert len(about[mcp.REQUEST_KEY]) == 32
        assert about[mcp.REQUEST_KEY] in told
        assert PLACE not in told
