"""Fake servers of language models: real HTTP on loopback, and every fault that the real ones have.

`FakeOllama` answers as Ollama does, `FakeOpenAi` as llama.cpp's server does. Both answer with what a test says.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

BROKEN = "BROKEN"
"""Among the parts of an answer: the connection breaks here."""
FAILED = "FAILED"
"""Among the parts of an answer: an error, where the status 200 was sent long before."""
MAX_ERROR = "an error was encountered while running the model: CUDA error: out of memory"


@dataclass
class ModelServer:
    """A server with one model; everything may be changed while it runs."""

    chat_path: ClassVar = ""
    cuts: ClassVar = False
    """Whether it cuts a prompt that is too long unless it is told otherwise."""

    model: str = "small"
    parts: Sequence[str] = ("Under ", "the mat ", "[1].")
    """The answer, as it is sent."""
    reason: str | None = "stop"
    """Why it ends; with None an event stream ends without a reason."""
    context: int = 32_768
    """Most tokens that the model can read."""
    prompt_tokens: int = 20
    """What its tokenizer makes of any prompt."""
    is_old: bool = False
    """Whether it cuts a prompt that is too long, whatever it is told."""
    redirect: str = ""
    """Where every request is sent on to."""
    raw: bytes = b""
    """Sent in place of the lines of an answer."""
    loaded: asyncio.Event = field(default_factory=asyncio.Event)
    """Answers come once it is set."""
    going_on: asyncio.Event = field(default_factory=asyncio.Event)
    """The second part of an answer comes once it is set."""
    leaving: asyncio.Event = field(default_factory=asyncio.Event)
    """The connection is closed once it is set."""
    asked: list[dict[str, Any]] = field(default_factory=list)
    """The bodies of the requests for an answer."""
    paths: list[str] = field(default_factory=list)
    loading: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a request waits for the model."""
    given_up: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the client leaves while the model loads."""

    def __post_init__(self) -> None:
        self.loaded.set()
        self.going_on.set()
        self.leaving.set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.loaded.set()
        self.going_on.set()
        self.leaving.set()
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = re.search(r"(?im)^content-length: (\d+)", head)
            body = json.loads(await reader.readexactly(int(length[1])) if length else b"{}")
            self.paths.append(head.split()[1])
            await self._answer(head.split()[1], body, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has gone
        finally:
            writer.close()

    async def _answer(
        self, path: str, body: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if self.redirect:
            await _send(writer, 307, b"", f"Location: {self.redirect}\r\n")
        elif path == self.chat_path:
            self.asked.append(body)
            await self._chat(body, reader, writer)
        else:
            await self._other(path, writer)

    async def _chat(self, body: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if body["model"] != self.model:
            await _send(writer, 404, self.unknown_model(body["model"]))
        elif not await self._wait(reader, writer):
            self.given_up.set()
        elif self.prompt_tokens > (size := self.size(body)) and not (self.is_old or body.get("truncate", self.cuts)):
            await _send(writer, 400, self.too_long(self.prompt_tokens, size))
        else:
            await self._stream(writer, min(self.prompt_tokens, size))

    async def _wait(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Return whether the client is still there when the model is loaded."""
        del writer
        if self.loaded.is_set():
            return True
        self.loading.set()
        left, loaded = asyncio.ensure_future(reader.read(1)), asyncio.ensure_future(self.loaded.wait())
        await asyncio.wait({left, loaded}, return_when=asyncio.FIRST_COMPLETED)
        stays = not left.done()
        left.cancel()
        loaded.cancel()
        return stays

    async def _stream(self, writer: asyncio.StreamWriter, read: int) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n")
        if self.raw:
            await _chunk(writer, self.raw)
        for number, part in enumerate(() if self.raw else self.parts):
            if number:
                await self.going_on.wait()
            if part == BROKEN:
                writer.transport.abort()
                return
            await _chunk(writer, self.error_line(MAX_ERROR) if part == FAILED else self.line(part))
            if part == FAILED:
                break
        else:
            await _chunk(writer, b"" if self.raw else self.last_line(read))
            await self.leaving.wait()
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    async def _other(self, path: str, writer: asyncio.StreamWriter) -> None:
        raise NotImplementedError

    def unknown_model(self, name: str) -> bytes:
        """Return what is said of a model that is not there."""
        raise NotImplementedError

    def too_long(self, tokens: int, size: int) -> bytes:
        """Return what is said of a prompt that is too long."""
        raise NotImplementedError

    def size(self, body: dict[str, Any]) -> int:
        """Return the size of the context for a request."""
        raise NotImplementedError

    def line(self, part: str) -> bytes:
        """Return a line of the answer."""
        raise NotImplementedError

    def last_line(self, read: int) -> bytes:
        """Return the last line of the answer."""
        raise NotImplementedError

    def error_line(self, said: str) -> bytes:
        """Return a line in place of the rest."""
        raise NotImplementedError


class FakeOllama(ModelServer):
    """Ollama's API."""

    chat_path = "/api/chat"
    cuts = True

    async def _other(self, path: str, writer: asyncio.StreamWriter) -> None:
        known = path == "/api/version"
        await _send(writer, 200 if known else 404, b'{"version": "0.40.12"}' if known else b"404 page not found")

    def unknown_model(self, name: str) -> bytes:
        """Return Ollama's words."""
        return _error(f"model '{name}' not found")

    def too_long(self, tokens: int, size: int) -> bytes:
        """Return the words of llama.cpp, inside Ollama's."""
        return _error(_error({"code": 400, "message": _exceeds(tokens, size)}).decode())

    def size(self, body: dict[str, Any]) -> int:
        """Return what the request wants, if the model can."""
        return min(int(body["options"]["num_ctx"]), self.context)

    def line(self, part: str) -> bytes:
        """Return a line of NDJSON."""
        return _json({"model": self.model, "message": {"role": "assistant", "content": part}, "done": False})

    def last_line(self, read: int) -> bytes:
        """Return the line with the counts."""
        message = {"role": "assistant", "content": ""}
        return _json({"message": message, "done": True, "done_reason": self.reason, "prompt_eval_count": read})

    def error_line(self, said: str) -> bytes:
        """Return an error as a line of NDJSON."""
        return _error(said)


class FakeOpenAi(ModelServer):
    """OpenAI's form, as llama.cpp's server has it: it refuses while it loads."""

    chat_path = "/v1/chat/completions"

    async def _wait(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if not self.loaded.is_set():
            self.loading.set()
            said = {"message": "Loading model", "type": "unavailable_error", "code": 503}
            await _send(writer, 503, _error(said))
            raise ConnectionResetError  # done with this request
        return await super()._wait(reader, writer)

    async def _other(self, path: str, writer: asyncio.StreamWriter) -> None:
        await _send(writer, 404, _error({"code": 404, "message": "File Not Found", "type": "not_found_error"}))

    def unknown_model(self, name: str) -> bytes:
        """Return vLLM's words."""
        return _error({"message": f"The model `{name}` does not exist.", "code": 404})

    def too_long(self, tokens: int, size: int) -> bytes:
        """Return llama.cpp's words."""
        return _error({"code": 400, "message": _exceeds(tokens, size), "type": "exceed_context_size_error"})

    def size(self, body: dict[str, Any]) -> int:
        """Return what the server was started with."""
        return self.context

    def line(self, part: str) -> bytes:
        """Return an event."""
        return self._event({"delta": {"content": part}, "finish_reason": None})

    def last_line(self, read: int) -> bytes:
        """Return the last two events."""
        reason = self._event({"delta": None, "finish_reason": self.reason}) if self.reason else b""
        return reason + b"data: [DONE]\n\n"

    def error_line(self, said: str) -> bytes:
        """Return an error as an event."""
        return b"data: " + _error({"message": said, "code": 500}) + b"\n"

    def _event(self, choice: dict[str, Any]) -> bytes:
        return b": a comment\n" + b"data: " + _json({"choices": [{"index": 0, **choice}]}) + b"\n"


def _json(data: object) -> bytes:
    return json.dumps(data).encode() + b"\n"


def _error(said: object) -> bytes:
    return _json({"error": said})


def _exceeds(tokens: int, size: int) -> str:
    return f"request ({tokens} tokens) exceeds the available context size ({size} tokens), try increasing it"


async def _chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    if data:
        writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        await writer.drain()


async def _send(writer: asyncio.StreamWriter, status: int, body: bytes, more: str = "") -> None:
    head = f"HTTP/1.1 {status} Said\r\nConnection: close\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    writer.write(head.encode() + body)
    await writer.drain()
