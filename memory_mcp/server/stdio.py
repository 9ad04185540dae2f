"""The stdio transport: newline-delimited JSON-RPC, read strictly.

The SDK's own reader replaces bad bytes and leaves a lone surrogate unanswered; here every line gets its answer. File
descriptor 1 is handed to the transport alone: whatever else writes there, C libraries included, reaches stderr.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import AsyncIterator
from concurrent.futures import Future
from queue import SimpleQueue
from typing import BinaryIO, Final

import anyio
import mcp_types as types
from mcp.shared._context_streams import ContextReceiveStream, ContextSendStream, create_context_streams
from mcp.shared.message import SessionMessage

from memory_mcp.server.messages import Refused, parse, wrong

MAX_LINE: Final = 64 * 1024 * 1024
"""Bytes of one message."""

GOODBYE_S: Final = 5.0
"""Seconds that requests in progress get to finish after the client closed its side."""

CANCELLED: Final = "notifications/cancelled"

Item = SessionMessage | Exception

_TOO_LONG: Final = wrong(types.INVALID_REQUEST, f"a message has at most {MAX_LINE} bytes")


def claim_descriptors() -> tuple[BinaryIO, BinaryIO]:
    """Take descriptors 0 and 1 for the transport; 0 reads nothing from now on, and 1 writes to stderr."""
    wire_in, wire_out = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb", buffering=0)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return wire_in, wire_out


class Transport:
    """Lines of one client to and from the SDK's streams.

    Both ends of the wire have a daemon thread: it may be blocked in read() or write() for ever, and must not keep the
    process alive.
    """

    def __init__(self, wire_in: BinaryIO, wire_out: BinaryIO) -> None:
        self._wire_in = wire_in
        self._wire_out = wire_out
        self._lines: asyncio.Queue[bytes] = asyncio.Queue(maxsize=16)
        self._outgoing: SimpleQueue[tuple[bytes, Future[None]]] = SimpleQueue()
        self._unanswered: set[types.RequestId] = set()
        self._all_answered = asyncio.Event()
        self.heard = asyncio.Event()
        """Set when the client has sent a line."""

    @contextlib.asynccontextmanager
    async def streams(self) -> AsyncIterator[tuple[ContextReceiveStream[Item], ContextSendStream[SessionMessage]]]:
        """Serve the wire for as long as the context lasts."""
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
        """Read lines in a thread and hand them over one by one; an empty one is the end."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: the process ends
            while line := self._wire_in.readline(MAX_LINE + 1):
                asyncio.run_coroutine_threadsafe(self._lines.put(line), loop).result()
                while len(line) > MAX_LINE and not line.endswith(b"\n"):
                    line = self._wire_in.readline(MAX_LINE)  # the rest of what was refused
            asyncio.run_coroutine_threadsafe(self._lines.put(b""), loop).result()

    async def _read(self, to_server: ContextSendStream[Item], to_client: ContextSendStream[SessionMessage]) -> None:
        async with to_server, to_client:
            while line := await self._lines.get():
                self.heard.set()
                if not line.strip():
                    continue
                message = parse(line) if len(line) <= MAX_LINE else _TOO_LONG
                if isinstance(message, Refused):
                    await to_client.send(SessionMessage(message.answer))
                    continue
                if isinstance(message, types.JSONRPCRequest):
                    self._unanswered.add(message.id)
                elif isinstance(message, types.JSONRPCNotification) and message.method == CANCELLED:
                    self._answered((message.params or {}).get("requestId"))  # it never will be
                await to_server.send(SessionMessage(message))
            await self._finish()

    async def _finish(self) -> None:
        """Let requests in progress be answered before the server is told that the client has gone."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                while self._unanswered:
                    self._all_answered.clear()
                    await self._all_answered.wait()

    async def _write(self, from_server: ContextReceiveStream[SessionMessage], session: anyio.CancelScope) -> None:
        async with from_server:
            async for item in from_server:
                sent: Future[None] = Future()
                self._outgoing.put((item.message.model_dump_json(by_alias=True, exclude_unset=True).encode(), sent))
                try:
                    await asyncio.wrap_future(sent)
                except OSError:  # nobody reads any more: the client has gone, whatever its end of stdin says
                    session.cancel()
                    return
                if isinstance(item.message, types.JSONRPCResponse | types.JSONRPCError):
                    self._answered(item.message.id)

    def _drain(self) -> None:
        """Write lines in a thread, each whole before the next."""
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
        if isinstance(request_id, int | str):
            self._unanswered.discard(request_id)
        if not self._unanswered:
            self._all_answered.set()
