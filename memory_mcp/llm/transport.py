"""One HTTP request whose answer arrives in lines: its deadlines, its bounds, and what can go wrong on the way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import httpx2
from pydantic import BaseModel, ValidationError

from memory_mcp.domain.chat import ChatError
from memory_mcp.domain.errors import cut

MAX_LINE: Final = 1024 * 1024
MAX_ANSWER: Final = 16 * 1024 * 1024
"""Bytes of a whole answer, with what its format adds: a token takes about 200."""
MAX_BODY: Final = 64 * 1024
"""Bytes of an answer that is no stream."""
SEE_LOG: Final = "ask again; if it happens again, the server's log says why"


@dataclass(frozen=True, slots=True)
class Waits:
    """How long a server may take."""

    connect_s: float = 3.0
    first_s: float = 300.0
    """Until its answer begins: it may load a model of many gigabytes first."""
    next_s: float = 60.0
    """Between two parts of its answer."""
    short_s: float = 10.0
    """Until it answers what needs no model."""
    notice_s: float = 1.5
    """Until the user is told that it is loading."""
    retry_s: float = 0.5
    """Until a server that refuses because it is loading is asked again."""


class ServerRefusedError(Exception):
    """The server answered with an error instead."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(f"{status}: {said}")
        self.status = status
        self.said = said

    @property
    def is_loading(self) -> bool:
        """Whether the server says that its model is not loaded yet, as llama.cpp's does."""
        return self.status == httpx2.codes.SERVICE_UNAVAILABLE and "loading" in self.said.lower()

    @property
    def is_about_context(self) -> bool:
        """Whether the prompt was too long for the model's context; every server words this in its own way."""
        return any(f"context {noun}" in self.said.lower() for noun in ("length", "size", "window"))


class AnswerLine(BaseModel):
    """What each line of an answer may be, in any format."""

    error: str | dict[str, object] | None = None

    @property
    def said(self) -> str:
        """The error's message; empty if it is none."""
        if isinstance(self.error, dict):
            return str(self.error.get("message") or json.dumps(self.error))
        return self.error or ""


class Server:
    """A server for language models; one connection for each request."""

    def __init__(self, url: str, on_loading: Callable[[], None], waits: Waits) -> None:
        self.url = url
        self._waits = waits
        self._on_loading = on_loading
        self._client = httpx2.AsyncClient(
            base_url=f"{url}/",
            timeout=httpx2.Timeout(None, connect=waits.connect_s),
            headers={"accept-encoding": "identity"},  # so that the bounds hold for what arrives
            trust_env=False,  # a proxy would see what is meant for this server
            follow_redirects=False,
        )

    async def get(self, path: str) -> bytes:
        """Return a short answer.

        Raises:
            ServerRefusedError: the status is not 200.
            ChatError: there is no server, or it does not answer.
        """
        async with self._patience(), asyncio.timeout(self._waits.short_s):
            response = await self._client.send(self._client.build_request("GET", path), stream=True)
            return await _body(response)

    async def post(self, path: str, body: Mapping[str, object]) -> AsyncGenerator[bytes, None]:
        """Yield the lines of an answer, without those that are empty.

        Raises:
            ServerRefusedError: the status is not 200.
            ChatError: there is no server, or it went, or it is too slow, or sends too much.
        """
        loop = asyncio.get_running_loop()
        begun = loop.time() + self._waits.first_s
        notice = loop.call_later(self._waits.notice_s, self._on_loading)
        try:
            async with self._patience():
                async with asyncio.timeout_at(begun):
                    response = await self._opened(path, body)
                try:
                    async for line in _lines(self._chunks(response, begun, notice)):
                        yield line
                finally:
                    await response.aclose()
        finally:
            notice.cancel()

    async def _opened(self, path: str, body: Mapping[str, object]) -> httpx2.Response:
        """Return the response once the model is loaded."""
        while True:
            response = await self._client.send(self._client.build_request("POST", path, json=body), stream=True)
            if response.status_code == httpx2.codes.OK:
                return response
            try:
                await _body(response)
            except ServerRefusedError as refused:
                if not refused.is_loading:
                    raise
            await asyncio.sleep(self._waits.retry_s)

    async def _chunks(
        self, response: httpx2.Response, begun: float, notice: asyncio.TimerHandle
    ) -> AsyncGenerator[bytes, None]:
        """Yield what arrives, in time."""
        chunks, deadline = response.aiter_raw(), begun
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    chunk = await anext(chunks)
            except StopAsyncIteration:
                return
            notice.cancel()
            deadline = asyncio.get_running_loop().time() + self._waits.next_s
            yield chunk

    @asynccontextmanager
    async def _patience(self) -> AsyncIterator[None]:
        """Say in one sentence what went wrong on the way, and what fixes it."""
        try:
            yield
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            fix = "start it (`ollama serve`), or set MCP_MEMORY_LLM_URL to the one that runs"
            raise ChatError(f"there is no model server at {self.url}", fix) from error
        except TimeoutError as error:
            fix = "ask again, or choose a smaller model with MCP_MEMORY_LLM_MODEL"
            raise ChatError(f"the model server at {self.url} takes too long", fix) from error
        except httpx2.HTTPError as error:
            raise self.broken() from error

    def broken(self) -> ChatError:
        """Return the error of an answer that ends too early."""
        return ChatError(f"the connection to {self.url} broke before the answer was complete", SEE_LOG)

    def failed(self, said: str) -> ChatError:
        """Return the error of a server that says what is wrong with it."""
        return ChatError(f"the model server at {self.url} failed: {cut(_one_line(said))}", SEE_LOG)

    def strange(self) -> ChatError:
        """Return the error of an answer that is none."""
        fix = "set MCP_MEMORY_LLM_URL to Ollama or to a server with OpenAI's API"
        return ChatError(f"{self.url} does not answer like a model server", fix)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


async def _body(response: httpx2.Response) -> bytes:
    """Return the beginning of a body, and close the response.

    Raises:
        ServerRefusedError: the status is not 200.
    """
    body = bytearray()
    try:
        async for chunk in response.aiter_raw():
            body += chunk[: MAX_BODY - len(body)]
            if len(body) == MAX_BODY:
                break
    finally:
        await response.aclose()
    if response.status_code != httpx2.codes.OK:
        raise ServerRefusedError(response.status_code, _message(bytes(body)) or response.reason_phrase)
    return bytes(body)


def _message(body: bytes) -> str:
    try:
        return AnswerLine.model_validate_json(body).said
    except ValidationError:
        return ""


async def _lines(chunks: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """Cut what arrives into lines.

    Raises:
        ChatError: a line or the whole is too long.
    """
    held, total = b"", 0
    async for chunk in chunks:
        total += len(chunk)
        *whole, held = (held + chunk).split(b"\n")
        if len(held) > MAX_LINE or total > MAX_ANSWER:
            raise ChatError("the model server sends far more than an answer", SEE_LOG)
        for line in whole:
            if stripped := line.strip():
                yield stripped
    if stripped := held.strip():
        yield stripped


def _one_line(said: str) -> str:
    return " ".join(said.split())
