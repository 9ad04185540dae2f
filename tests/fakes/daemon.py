"""A fake of the daemon that is a real gRPC server on a real Unix socket, with faults on demand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import grpc.aio
from embedder_api import __version__
from embedder_api.v1 import embedder_pb2 as pb
from embedder_api.v1 import wire
from embedder_api.v1.contract import CHANNEL_OPTIONS, MAX_TEXTS, OUTDATED_KEY, RETRY_AFTER_KEY, WIRE_KEY, WIRE_VERSION
from embedder_api.v1.embedder_pb2_grpc import EmbedderServicer, add_EmbedderServicer_to_server
from grpc import StatusCode

from embedder_daemon.engines.hash_engine import hash_vector

DIMENSIONS = 384
MAX_CHARS = 2_000
Context = grpc.aio.ServicerContext[pb.EmbedRequest, pb.EmbedResponse]


@dataclass
class Faults:
    """What goes wrong; everything may be changed while the server runs."""

    status: StatusCode | None = None
    """Every Embed and every Stats ends with it."""
    latency_s: float = 0.0
    """Every Embed takes so many seconds longer."""
    hang: bool = False
    """Embed is accepted and never answered until this is False again."""
    hang_on: str | None = None
    """Likewise, an Embed with this text."""
    dimensions: int = DIMENSIONS
    """Of the vectors that are sent."""
    said_dimensions: int = DIMENSIONS
    """What the response says of them."""
    not_a_number: bool = False
    space_id: str = "fake-384"
    drop: bool = False
    """The connection is cut in the middle of Embed."""
    reject: set[str] = field(default_factory=set)
    """Texts that get an item error."""
    quarantine: set[str] = field(default_factory=set)
    """Texts that are refused for the time being."""
    engine: str = "fake"
    version: str = __version__
    state: pb.State = pb.STATE_SERVING
    vectors: dict[str, bytes] = field(default_factory=dict)
    """Texts that get another vector than theirs."""
    wire_version: int = WIRE_VERSION
    outdated: str = ""
    """What the daemon says of its environment."""


class FakeDaemon(EmbedderServicer):
    """Vectors are deterministic, and texts that share words are near each other."""

    def __init__(self, socket: Path) -> None:
        self.address = f"unix:{socket}"
        self.faults = Faults()
        self.requests: list[pb.EmbedRequest] = []
        self.metadata: list[dict[str, str | bytes]] = []
        """Of each Embed."""
        self.given_up = 0
        """Calls whose caller left while they hung."""
        self._awake = asyncio.Condition()
        self._server: grpc.aio.Server | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen."""
        self._server = grpc.aio.server(options=CHANNEL_OPTIONS)
        add_EmbedderServicer_to_server(self, self._server)  # type: ignore[no-untyped-call]  # generated without types
        self._server.add_insecure_port(self.address)
        await self._server.start()

    async def stop(self) -> None:
        """Vanish at once, as a killed process does."""
        if self._server is not None:
            server, self._server = self._server, None
            await server.stop(None)

    async def change(self, **faults: object) -> None:
        """Change what goes wrong, and let hanging calls look again."""
        for name, value in faults.items():
            setattr(self.faults, name, value)
        async with self._awake:
            self._awake.notify_all()

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until a condition holds; it is looked at whenever a call comes or its caller leaves."""
        async with self._awake:
            await self._awake.wait_for(condition)

    @property
    def texts(self) -> list[str]:
        """All texts that were asked for, in order."""
        return [text for request in self.requests for text in request.texts]

    async def Embed(self, request: pb.EmbedRequest, context: Context) -> pb.EmbedResponse:  # noqa: N802 - gRPC's name
        """Answer, or do what the faults say."""
        wire = dict(context.invocation_metadata() or ()).get(WIRE_KEY)
        if wire not in {None, str(self.faults.wire_version)}:
            await context.abort(StatusCode.INVALID_ARGUMENT, f"the caller speaks wire version {wire!s}")
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata() or ()))
        async with self._awake:
            self._awake.notify_all()
            try:
                await self._awake.wait_for(lambda: not (self.faults.hang or self.faults.hang_on in request.texts))
            except asyncio.CancelledError:
                self.given_up += 1
                self._awake.notify_all()
                raise
        await asyncio.sleep(self.faults.latency_s)
        if self.faults.drop:
            asyncio.get_running_loop().create_task(self.stop())
            await asyncio.Event().wait()
        if self.faults.status is not None:
            await context.abort(self.faults.status, "as told", trailing_metadata=((RETRY_AFTER_KEY, "250"),))
        if request.expected_space_id not in {"", self.faults.space_id}:
            await context.abort(StatusCode.FAILED_PRECONDITION, f"this daemon serves {self.faults.space_id}")
        return self._answer(request)

    def _answer(self, request: pb.EmbedRequest) -> pb.EmbedResponse:
        items = [self._item(text) for text in request.texts]
        rows = [self._row(text) for text, item in zip(request.texts, items, strict=True) if not item.error]
        return pb.EmbedResponse(
            vectors=b"".join(rows), dimensions=self.faults.said_dimensions, items=items, space_id=self.faults.space_id
        )

    def _item(self, text: str) -> pb.EmbedResponse.Item:
        error = "failed: as told" if text in self.faults.reject else ""
        error = "quarantined: as told" if text in self.faults.quarantine else error
        cut = len(text) > MAX_CHARS
        return pb.EmbedResponse.Item(
            token_count=len(text.split()), truncated=cut, consumed_chars=min(len(text), MAX_CHARS), error=error
        )

    def _row(self, text: str) -> bytes:
        if self.faults.not_a_number:
            return wire.pack([float("nan")] * DIMENSIONS)
        return self.faults.vectors.get(text) or hash_vector(text[:MAX_CHARS], self.faults.dimensions)

    async def Stats(self, _request: pb.StatsRequest, context: Context) -> pb.StatsResponse:  # noqa: N802 - gRPC's name
        """Say what was done: a row for each text."""
        if self.faults.status is not None:
            await context.abort(self.faults.status)
        lane = pb.LaneStats(requests=len(self.requests), texts=len(self.texts))
        return pb.StatsResponse(uptime_s=1.5, interactive=lane, rows=len(self.texts))

    async def Info(self, _request: pb.InfoRequest, _context: Context) -> pb.InfoResponse:  # noqa: N802 - gRPC's name
        """Say what is served."""
        return pb.InfoResponse(
            state=self.faults.state,
            space_id=self.faults.space_id,
            model="fake",
            dimensions=DIMENSIONS,
            max_tokens=256,
            limits=pb.Limits(max_texts=MAX_TEXTS),
            engine=self.faults.engine,
            device="cpu",
            precision="float32",
            daemon_version=self.faults.version,
            wire_version=self.faults.wire_version,
            versions={OUTDATED_KEY: self.faults.outdated} if self.faults.outdated else {},
        )
