"""The stdio transport: newline-delimited JSON-RPC, read strictly.

The SDK's own reader replaces bad bytes and leaves a lone surrogate unanswered; here every line gets an answer. Only
the transport gets file descriptor 1: other writes to it, including those of C libraries, go to stderr.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections import Counter
from collections.abc import AsyncIterator
from concurrent.futures import Future
from queue import SimpleQueue
from typing import BinaryIO, Final

import anyio
import mcp_types as types
from mcp.shared.message import SessionMessage

from memory_mcp.server.mcp.messages import Refused, parse, wrong
from memory_mcp.server.mcp.private import ContextReceiveStream, ContextSendStream, create_context_streams

MAX_LINE: Final = 64 * 1024 * 1024
"""Maximum bytes of one message."""

GOODBYE_S: Final = 5.0
"""Seconds that requests in progress get to finish after the client closed stdin."""

MOST_UNANSWERED: Final = 1_000
"""Unanswered requests before the next one waits: a client may write faster than it reads answers."""

ROOM_S: Final = 1.0
"""Seconds that it waits before it is refused, so that a cancellation behind it gets through."""

CANCELLED: Final = "notifications/cancelled"

Item = SessionMessage | Exception

_TOO_LONG: Final = wrong(types.INVALID_REQUEST, f"the message is longer than {MAX_LINE} bytes; send a shorter one")

_TOO_MANY: Final = f"{MOST_UNANSWERED} requests are unanswered; read the answers or cancel some requests first"


def claim_descriptors() -> tuple[BinaryIO, BinaryIO]:
    """Take over descriptors 0 and 1 for the transport; from now on 0 reads nothing, and 1 writes to stderr."""
    wire_in, wire_out = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb", buffering=0)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return wire_in, wire_out


class Transport:
    """Connects the client's lines with the SDK's streams.

    Reading and writing each have a daemon thread: it may block in read() or write() for ever, and must not keep the
    process alive.
    """

    def __init__(self, wire_in: BinaryIO, wire_out: BinaryIO) -> None:
        self._wire_in = wire_in
        self._wire_out = wire_out
        self._lines: asyncio.Queue[bytes] = asyncio.Queue(maxsize=16)
        self._outgoing: SimpleQueue[tuple[bytes, Future[None]]] = SimpleQueue()
        self._unanswered: Counter[types.RequestId | None] = Counter()
        """Unanswered requests by id; None counts refused messages without an id."""
        self._answer_left = asyncio.Event()
        self.heard = asyncio.Event()
        """Set after the client's first line."""

    @contextlib.asynccontextmanager
    async def streams(self) -> AsyncIterator[tuple[ContextReceiveStream[Item], ContextSendStream[SessionMessage]]]:
        """Read and write for as long as the context lasts."""
        to_server, from_client = create_context_streams[Item](0)
        to_client, from_server = create_context_streams[SessionMessage](0)
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._pump, args=(loop,), name="stdin", daemon=True).start()
        threading.Thread(target=self._drain, name="stdout", daemon=True).start()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._read, to_server, to_client.clone())
            tasks.start_soon(self._write, from_server, tasks.cancel_scope)
            yield from_client, to_client
            tasks.cancel_scope.cancel()

    def _pump(self, loop: asyncio.AbstractEventLoop) -> None:
        """Read lines in a thread and hand them over one by one; an empty line means end of file."""
        with contextlib.suppress(RuntimeError):  # the loop is closed because the process is ending
            with contextlib.suppress(OSError):  # unreadable input, such as a folder, counts as end of file
                while line := self._wire_in.readline(MAX_LINE + 1):
                    asyncio.run_coroutine_threadsafe(self._lines.put(line), loop).result()
                    while len(line) > MAX_LINE and not line.endswith(b"\n"):
                        line = self._wire_in.readline(MAX_LINE)  # skip the rest of the refused line
            asyncio.run_coroutine_threadsafe(self._lines.put(b""), loop).result()

    async def _read(self, to_server: ContextSendStream[Item], to_client: ContextSendStream[SessionMessage]) -> None:
        async with to_server, to_client:
            while line := await self._lines.get():
                self.heard.set()
                if not line.strip():
                    continue
                message = await self._admitted(parse(line) if len(line) <= MAX_LINE else _TOO_LONG)
                if isinstance(message, Refused):
                    self._unanswered[message.answer.id] += 1
                    await to_client.send(SessionMessage(message.answer))
                    continue
                if isinstance(message, types.JSONRPCRequest):
                    self._unanswered[message.id] += 1
                elif isinstance(message, types.JSONRPCNotification) and message.method == CANCELLED:
                    self._answered((message.params or {}).get("requestId"))  # a cancelled request never gets an answer
                await to_server.send(SessionMessage(message))
            with contextlib.suppress(TimeoutError):
                await self._until_unanswered(0, GOODBYE_S)  # before the server learns that the client has gone

    async def _admitted(self, message: types.JSONRPCMessage | Refused) -> types.JSONRPCMessage | Refused:
        """Return a message once there is room for it, or a refusal; only requests need room."""
        if not isinstance(message, types.JSONRPCRequest):
            return message
        try:
            await self._until_unanswered(MOST_UNANSWERED - 1, ROOM_S)
        except TimeoutError:
            return wrong(types.INVALID_REQUEST, _TOO_MANY, message.id)
        return message

    async def _until_unanswered(self, most: int, seconds: float) -> None:
        """Wait until at most `most` requests are unanswered.

        Raises:
            TimeoutError: it took too long.
        """
        async with asyncio.timeout(seconds):
            while self._unanswered.total() > most:
                self._answer_left.clear()
                await self._answer_left.wait()

    async def _write(self, from_server: ContextReceiveStream[SessionMessage], session: anyio.CancelScope) -> None:
        async with from_server:
            async for item in from_server:
                sent: Future[None] = Future()
                self._outgoing.put((item.message.model_dump_json(by_alias=True, exclude_unset=True).encode(), sent))
                try:
                    await asyncio.wrap_future(sent)
                except OSError:  # nobody reads stdout any more: the client has gone, even if stdin is open
                    session.cancel()
                    return
                if isinstance(item.message, types.JSONRPCResponse | types.JSONRPCError):
                    self._answered(item.message.id)

    def _drain(self) -> None:
        """Write lines in a thread, one after another."""
        while True:
            line, sent = self._outgoing.get()
            if not sent.set_running_or_notify_cancel():
                continue
            try:
                self._send(line + b"\n")
            except OSError as error:
                sent.set_exception(error)
            else:
                sent.set_result(None)

    def _send(self, line: bytes) -> None:
        view = memoryview(line)
        while view:
            view = view[self._wire_out.write(view) :]

    def _answered(self, request_id: object) -> None:
        if request_id is not None and not isinstance(request_id, int | str):
            return
        self._unanswered[request_id] -= 1
        if self._unanswered[request_id] <= 0:
            del self._unanswered[request_id]
        self._answer_left.set()
