"""The kind `http`, on a real server."""

from __future__ import annotations

import asyncio
import resource
import socket
from datetime import UTC, datetime

import pytest

from memory_mcp.domain.sources import SourceError, SourceQuery
from memory_mcp.sources.web import is_public
from tests.fakes.clock import until
from tests.front.sources.conftest import VARIABLES, Make, configured
from tests.front.sources.web_server import WebServer, body_of, web_server

PATHS = {"items": "$.results[*]", "text": "$.body", "title": "$.name", "uri": "$.link", "time": "$.day"}
BOAT = SourceQuery("where is the boat?", 3)


async def failure(make: Make, **section: object) -> SourceError:
    """Return what a source fails with."""
    with pytest.raises(SourceError) as failed:
        await make(kind="http", **PATHS, **section).ask(BOAT)
    return failed.value


async def test_items_are_picked_by_jsonpath(make: Make, server: WebServer) -> None:
    """Text, title, URI and time of each; a time that is none is left out, and what is beyond the limit is counted."""
    source = make(kind="http", url=server.url("/notes?q={query}&n={limit}"), **PATHS)
    answer = await source.ask(SourceQuery("boat & sea", 4))
    assert [(item.text, item.title, item.uri) for item in answer.items[:1]] == [
        ("the boat number 0", "Boat 0", "https://wiki.test/0")
    ]
    assert [item.at for item in answer.items] == [
        datetime(2026, 5, 3, tzinfo=UTC),
        datetime(2026, 5, 4, 8, tzinfo=UTC),
        datetime.fromtimestamp(1_777_777_777, UTC),
        None,
    ]
    assert answer.left_out == 1
    assert server.requests[0][1] == "/notes?q=boat%20%26%20sea&n=4"


async def test_a_post_carries_the_question_as_json(make: Make, server: WebServer) -> None:
    """`{limit}` alone becomes a number, and a question cannot leave its text."""
    body = {"search": {"text": "{query}", "size": "{limit}"}, "tags": ["a"], "key": "${env:WIKI_KEY}"}
    await make(kind="http", url=server.url("/notes"), method="POST", body=body, **PATHS).ask(
        SourceQuery('"} ${env:WIKI_KEY} {limit}', 2)
    )
    assert body_of(server.requests[0]) == {
        "search": {"text": '"} ${env:WIKI_KEY} {limit}', "size": 2},
        "tags": ["a"],
        "key": VARIABLES["WIKI_KEY"],
    }


async def test_a_question_is_no_template(make: Make, server: WebServer) -> None:
    """What looks like a secret or a place in a question stays text."""
    await make(kind="http", url=server.url("/notes?q={query}"), **PATHS).ask(SourceQuery("${env:WIKI_KEY} {limit}", 2))
    assert "s3cret" not in server.requests[0][1]


async def test_a_secret_comes_from_the_environment(make: Make, server: WebServer) -> None:
    """It is sent, and stands in no error."""
    headers = {"Authorization": "Bearer ${env:WIKI_KEY}"}
    error = await failure(make, url=server.url("/locked"), headers=headers)
    assert server.requests[0][2]["authorization"] == f"Bearer {VARIABLES['WIKI_KEY']}"
    assert "401" in str(error)
    assert "secret" in error.fix
    assert VARIABLES["WIKI_KEY"] not in error.with_fix()


async def test_a_missing_secret_is_named(make: Make, server: WebServer) -> None:
    """The source is not asked without it."""
    error = await failure(make, url=server.url("/notes"), headers={"X": "${env:NO_SUCH}"})
    assert "NO_SUCH" in str(error)
    assert server.requests == []


@pytest.mark.parametrize(
    ("path", "cause"),
    [
        ("/page", "HTML"),
        ("/latin", "not UTF-8"),
        ("/deep", "nested too deeply"),
        ("/gzip", "compressed"),
        ("/none", "404"),
        ("/round", "redirects more than"),
    ],
)
async def test_an_answer_that_is_none_costs_this_source(make: Make, server: WebServer, path: str, cause: str) -> None:
    """The error says what came, with what fixes it, and quotes nothing of it."""
    error = await failure(make, url=server.url(path))
    assert cause in str(error)
    assert error.fix
    assert "Log in" not in str(error)


async def test_a_hundred_megabytes_are_not_read(make: Make, server: WebServer) -> None:
    """The connection ends at the bound, and memory stays flat."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    error = await failure(make, url=server.url("/huge"))
    assert "longer than 1,048,576 bytes" in str(error)
    assert server.sent_megabytes < 50
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30 * 1024


async def test_a_long_answer_is_read(make: Make, server: WebServer) -> None:
    """Up to the bound."""
    answer = await make(kind="http", url=server.url("/long"), **PATHS).ask(BOAT)
    assert (len(answer.items), answer.left_out) == (3, 497)


async def test_retry_after_is_told_and_kept(make: Make, server: WebServer) -> None:
    """Until it is over, the source is not asked."""
    source = make(kind="http", url=server.url("/busy"), **PATHS)
    for _ in range(2):
        with pytest.raises(SourceError) as failed:
            await source.ask(BOAT)
        assert failed.value.retry_after_s is not None
        assert 6 < failed.value.retry_after_s <= 7
    assert len(server.requests) == 1


async def test_what_is_safe_to_repeat_is_repeated(make: Make, server: WebServer) -> None:
    """A GET that failed for the moment."""
    server.failures = 2
    answer = await make(kind="http", url=server.url("/flaky"), **PATHS).ask(BOAT)
    assert len(answer.items) == 3
    assert len(server.requests) == 3


async def test_a_post_is_not_repeated(make: Make, server: WebServer) -> None:
    """Unless its section says that it changes nothing."""
    server.failures = 1
    section = {"kind": "http", "url": server.url("/flaky"), "method": "POST", "body": {}, **PATHS}
    with pytest.raises(SourceError, match="503"):
        await make(**section).ask(BOAT)
    server.failures = 1
    await make(**section, repeatable=True).ask(BOAT)
    assert len(server.requests) == 3


async def test_a_redirect_within_the_origin_is_followed(make: Make, server: WebServer) -> None:
    """With the headers of the section."""
    await make(kind="http", url=server.url("/moved"), headers={"X-Key": "${env:WIKI_KEY}"}, **PATHS).ask(BOAT)
    assert server.requests[1][1] == "/notes"
    assert server.requests[1][2]["x-key"] == VARIABLES["WIKI_KEY"]


async def test_a_redirect_does_not_lead_to_loopback(make: Make, server: WebServer) -> None:
    """To another server, that is: nothing of this machine is reached on a stranger's word."""
    async with web_server() as other:
        server.elsewhere = other.url("/notes")
        error = await failure(make, url=server.url("/away"))
        assert "private address" in str(error)
        assert other.requests == []


@pytest.mark.parametrize("target", ["http://[::ffff:127.0.0.1]:1/", "http://169.254.169.254/", "ftp://example.test/"])
async def test_a_redirect_leads_to_no_private_address(make: Make, server: WebServer, target: str) -> None:
    """However it is written."""
    server.elsewhere = target
    error = await failure(make, url=server.url("/away"))
    assert "not followed" in str(error)


async def test_secrets_stay_with_their_origin(make: Make, server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another server that may be reached gets no header of the section."""
    async with web_server() as other:
        server.elsewhere = f"http://elsewhere.test:{other.port}/notes"
        loop = asyncio.get_running_loop()
        public = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 0))]
        real = loop.getaddrinfo

        async def resolve(host: str, *args: object, **more: object) -> object:
            return public if host == "elsewhere.test" else await real(host, *args, **more)  # type: ignore[arg-type]  # the loop's own

        monkeypatch.setattr(loop, "getaddrinfo", resolve)
        monkeypatch.setattr("memory_mcp.sources.web.is_public", lambda _: True)
        section = {"headers": {"Authorization": "Bearer ${env:WIKI_KEY}", "X-Other": "1"}, **PATHS}
        answer = await make(kind="http", url=server.url("/away"), **section).ask(BOAT)
        assert len(answer.items) == 3
        headers = other.requests[0][2]
        assert headers["host"] == f"elsewhere.test:{other.port}"
        assert not {"authorization", "x-other"} & headers.keys()


async def test_a_post_is_not_redirected_elsewhere(make: Make, server: WebServer) -> None:
    """Its body is meant for the server in the section."""
    server.elsewhere = "http://elsewhere.test/"
    error = await failure(make, url=server.url("/away"), method="POST", body={"q": "{query}"})
    assert "POST" in str(error)


async def test_cancelling_ends_the_request(make: Make, server: WebServer) -> None:
    """The caller's deadline is the source's."""
    asking = asyncio.create_task(make(kind="http", url=server.url("/hang"), **PATHS).ask(BOAT))
    await until(lambda: server.hung)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await until(lambda: server.let_go)


async def test_a_source_has_a_deadline_of_its_own(make: Make, server: WebServer) -> None:
    """Where the caller has none."""
    error = await failure(make, url=server.url("/hang"), timeout_ms=50)
    assert "within 50 ms" in str(error)


async def test_an_expired_answer_is_confirmed_by_its_etag(make: Make, server: WebServer) -> None:
    """Not sent again where nothing changed."""
    source = make(kind="http", url=server.url("/tagged"), cache_s=0, **PATHS)
    first = await source.ask(BOAT)
    assert await source.ask(BOAT) == first
    assert server.requests[1][2]["if-none-match"] == '"1"'


async def test_tagged_answers_are_kept_within_bytes(
    make: Make, server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is larger than all of them may be is sent again."""
    monkeypatch.setattr("memory_mcp.sources.http.MAX_TAGGED", 300)
    source = make(kind="http", url=server.url("/tagged"), cache_s=0, **PATHS)
    for _ in range(2):
        assert len((await source.ask(BOAT)).items) == 3
    assert not any("if-none-match" in headers for _, _, headers, _ in server.requests)


async def test_a_server_that_is_not_there_is_named(make: Make) -> None:
    """By host and port, without the question."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    error = await failure(make, url=f"http://127.0.0.1:{port}/?q={{query}}")
    assert str(error) == f"127.0.0.1:{port} cannot be reached"


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ({"url": "ftp://x/"}, "begins with https://"),
        ({"url": "http://u:p@x/"}, "use headers"),
        ({"url": "http://{query}/"}, "part of the server's name"),
        ({"url": "http://x/", "items": "$.results["}, "not a JSONPath"),
        ({"url": "http://x/", "itmes": "$"}, "did you mean items?"),
        ({"url": "http://x/", "timeout_ms": 1}, "timeout_ms"),
        ({}, "url"),
    ],
)
def test_a_wrong_section_names_its_mistake(section: dict[str, object], problem: str) -> None:
    """Before anything is asked."""
    broken = configured({"wiki": {"kind": "http", **section}}).examined()[1]
    assert problem in broken[0].problem
    assert "[sources.wiki]" in broken[0].problem


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700:4700::1111", "::ffff:1.1.1.1"])
def test_a_public_address_is_public(address: str) -> None:
    """Of either version."""
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fe80::1", "fd00::1", "ff02::1"),
        *("::ffff:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::a00:1", "2002:7f00:1::", "::7f00:1", "fec0::1"),
    ],
)
def test_an_address_that_may_lead_inside_is_not_public(address: str) -> None:
    """Whatever it is wrapped in."""
    assert not is_public(address)


@pytest.mark.parametrize("question", [".", ".."])
async def test_a_question_leads_to_no_other_address(make: Make, server: WebServer, question: str) -> None:
    """Dots alone would be a step of the path."""
    source = make(kind="http", url=server.url("/private/{query}/notes"))
    with pytest.raises(SourceError, match="another address"):
        await source.ask(SourceQuery(question, 3))
    assert server.requests == []
    with pytest.raises(SourceError, match="404"):
        await source.ask(SourceQuery("../x", 3))
    assert server.requests[0][1] == "/private/../x/notes"  # it arrives as %2F
    assert server.requests[0][2]["mcp-memory-hop"] == "1"
