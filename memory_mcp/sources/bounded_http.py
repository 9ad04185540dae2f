"""A transport for other libraries' HTTP clients: an answer beyond the bound ends."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2

from memory_mcp.sources.web import certificates


class BoundedTransport(httpx2.AsyncHTTPTransport):
    """Reads no proxy from the environment, and takes nothing compressed: it may unpack to a thousand times as much."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(trust_env=False, verify=certificates())
        self._max_bytes = max_bytes

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await super().handle_async_request(request)
        if response.headers.get("content-encoding", "identity") != "identity":
            await response.aclose()
            raise httpx2.ReadError("compressed, though asked not to")
        if isinstance(response.stream, httpx2.AsyncByteStream):
            response.stream = _BoundedStream(response.stream, self._max_bytes)
        return response


class _BoundedStream(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream, max_bytes: int) -> None:
        self._stream = stream
        self._max_bytes = max_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for part in self._stream:
            size += len(part)
            if size > self._max_bytes:
                raise httpx2.ReadError(f"more than {self._max_bytes} bytes")
            yield part

    async def aclose(self) -> None:
        await self._stream.aclose()
