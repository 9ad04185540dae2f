"""A bare stdio client: it sends any bytes and sees every line, which the SDK's own would hide."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from pathlib import Path
from typing import Any

Json = dict[str, Any]
PATIENCE_S = 20


class ToolError(Exception):
    """A tool's result said isError."""


class RawClient:
    """One front process; what it logs goes to `log`, or nowhere."""

    def __init__(self, command: list[str], environment: dict[str, str], log: Path | None = None) -> None:
        self._command = command
        self._environment = environment
        self._log = log or Path(os.devnull)
        self._process: asyncio.subprocess.Process | None = None
        self._id = 0
        self.notifications: list[Json] = []

    async def process(self) -> asyncio.subprocess.Process:
        """Return the front's process, which is started when it is not yet."""
        if self._process is None:
            with self._log.open("wb") as stderr:
                self._process = await asyncio.create_subprocess_exec(
                    *self._command,
                    env=self._environment,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    limit=256 * 1024 * 1024,
                )
        return self._process

    async def send_line(self, line: bytes) -> None:
        """Send bytes as they are, and a newline."""
        process = await self.process()
        assert process.stdin is not None
        process.stdin.write(line + b"\n")
        await process.stdin.drain()

    async def next_message(self) -> Json:
        """Return the next line of stdout, which must be JSON-RPC."""
        process = await self.process()
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            line = await process.stdout.readline()
        if not line:
            raise EOFError("the front closed its output")
        message: Json = json.loads(line)
        assert message["jsonrpc"] == "2.0"
        return message

    async def request(self, method: str, params: Json | None = None) -> Json:
        """Send a request and return its answer, errors included."""
        self._id += 1
        await self.send_line(
            json.dumps({"jsonrpc": "2.0", "id": self._id, "method": method, "params": params or {}}).encode()
        )
        return await self.answer(self._id)

    async def answer(self, request_id: int | None) -> Json:
        """Return the answer to a request, and keep the notifications that come before it."""
        while True:
            message = await self.next_message()
            if "method" not in message and message.get("id") == request_id:
                return message
            self.notifications.append(message)

    async def initialize(self) -> Json:
        """Shake hands."""
        answer = await self.request(
            "initialize",
            {
                "protocolVersion": "2025-11-25",
                "capabilities": {},
                "clientInfo": {"name": "test", "version": "0"},
            },
        )
        await self.send_line(b'{"jsonrpc": "2.0", "method": "notifications/initialized"}')
        return answer

    async def tool(self, name: str, **arguments: object) -> Any:
        """Call a tool and return its structured result; raise ToolError with its text."""
        answer = await self.request("tools/call", {"name": name, "arguments": arguments})
        result = answer["result"]
        if result.get("isError"):
            raise ToolError(result["content"][0]["text"])
        return result["structuredContent"]

    async def until(self, name: str, wanted: str, *, value: object, **arguments: object) -> Any:
        """Call a tool until a member of its result has a value; bounded."""
        async with asyncio.timeout(PATIENCE_S):
            while (result := await self.tool(name, **arguments))[wanted] != value:
                pass  # each call waits for its answer
        return result

    async def end(self) -> int:
        """Close the front's stdin and wait for it; kill it when it does not go."""
        process = await self.process()
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise
