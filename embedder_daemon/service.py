"""The `Embedder` service: the gRPC side of each call, its error net, and the contents of Info and Stats."""

from __future__ import annotations

import math
import platform
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

import grpc
from embedder_api import __version__
from embedder_api.v1 import contract, embedder_pb2, embedder_pb2_grpc
from embedder_api.v1.contract import ErrorCode
from google.protobuf.message import DecodeError, Message

from embedder_daemon import logs
from embedder_daemon.embedding import EmbedCalls
from embedder_daemon.errors import INTERNAL, InvalidRequestError, NotAllowedError, OverloadedError, RequestError
from embedder_daemon.runtime import homebrew_check
from embedder_daemon.runtime.lifecycle import DaemonState, Lifecycle
from embedder_daemon.scheduler.cache import Cache
from embedder_daemon.scheduler.packing import QueueLane
from embedder_daemon.scheduler.scheduler import Scheduler
from embedder_daemon.stats import Stats
from memory_common import tracing

ResponseT = TypeVar("ResponseT")
WireContext = grpc.aio.ServicerContext[object, object]

_STATES: Final = {
    DaemonState.LOADING: embedder_pb2.STATE_LOADING,
    DaemonState.SERVING: embedder_pb2.STATE_SERVING,
    DaemonState.ASLEEP: embedder_pb2.STATE_ASLEEP,
    DaemonState.DRAINING: embedder_pb2.STATE_DRAINING,
    DaemonState.FAILED: embedder_pb2.STATE_FAILED,
}
_NAME_LENGTH: Final = 64  # length of a request id; ours have 32
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
_OUR_WIRE: Final = str(contract.WIRE_VERSION)
_NO_MESSAGE: Final = "the request cannot be parsed: a text is not UTF-8, or it is not an EmbedRequest"


@dataclass(frozen=True, slots=True)
class RefusedCall:
    """How a call ends without an answer."""

    status: grpc.StatusCode
    sentence: str
    trailing: tuple[tuple[str, str], ...]
    """Metadata after the status."""


class EmbedderService(embedder_pb2_grpc.EmbedderServicer):
    """Answers the three calls; all of them go through `_answered`."""

    def __init__(
        self,
        embedding: EmbedCalls,
        lifecycle: Lifecycle,
        scheduler: Scheduler,
        cache: Cache,
        stats: Stats,
        max_queued_texts: int,
        replica: str = "",
    ) -> None:
        self._embedding = embedding
        self._lifecycle = lifecycle
        self._scheduler = scheduler
        self._cache = cache
        self._stats = stats
        self._max_queued_texts = max_queued_texts
        self._replica = replica

    def decoding(self) -> dict[str, grpc.RpcMethodHandler[embedder_pb2.EmbedRequest | None, Message]]:
        """Return a handler of Embed; the generated one reports an unreadable request as UNKNOWN."""
        handler = grpc.unary_unary_rpc_method_handler(
            self._decoded, _read, response_serializer=embedder_pb2.EmbedResponse.SerializeToString
        )
        return {"Embed": handler}

    async def _decoded(
        self, request: embedder_pb2.EmbedRequest | None, context: WireContext
    ) -> embedder_pb2.EmbedResponse:
        return await (
            self._answered(_refused(_NO_MESSAGE), context) if request is None else self.Embed(request, context)
        )

    async def Embed(  # noqa: N802 - the generated base class names it
        self, request: embedder_pb2.EmbedRequest, context: WireContext
    ) -> embedder_pb2.EmbedResponse:
        """Return one vector for each text without an item error."""
        return await self._answered(self.embed(request, _metadata(context), _deadline(context)), context)

    async def embed(
        self, request: embedder_pb2.EmbedRequest, told: Mapping[str, str], deadline: float
    ) -> embedder_pb2.EmbedResponse:
        """Answer within a span of the caller's trace; `told` is the call's metadata.

        Raises:
            RequestError: the request as a whole is invalid or cannot be served.
        """
        if told.get(contract.WIRE_KEY, _OUR_WIRE) != _OUR_WIRE:
            raise InvalidRequestError(
                f"the caller speaks wire version {told[contract.WIRE_KEY]}, this daemon {_OUR_WIRE}"
            )
        with tracing.root("Embed", told, texts=len(request.texts)):
            return await self._embedding.answer(request, deadline)

    async def Info(  # noqa: N802 - the generated base class names it
        self,
        request: embedder_pb2.InfoRequest,  # noqa: ARG002 - an empty message
        context: WireContext,
    ) -> embedder_pb2.InfoResponse:
        """Describe what is served; answers in every state."""
        return await self._answered(_now(self.info), context)

    async def Stats(  # noqa: N802 - the generated base class names it
        self,
        request: embedder_pb2.StatsRequest,  # noqa: ARG002 - an empty message
        context: WireContext,
    ) -> embedder_pb2.StatsResponse:
        """Return the counters since the process started."""
        return await self._answered(_now(self.counters), context)

    async def _answered(self, answer: Awaitable[ResponseT], context: WireContext) -> ResponseT:
        """Return the answer, or end the call with the status and message of its error."""
        settled = await self.settled(answer, _metadata(context))
        if not isinstance(settled, RefusedCall):
            return settled
        await context.abort(settled.status, settled.sentence, settled.trailing)
        raise AssertionError("abort raises")

    async def settled(self, answer: Awaitable[ResponseT], told: Mapping[str, str]) -> ResponseT | RefusedCall:
        """Return the answer, or what its error is on the wire; `told` is the call's metadata."""
        logs.CALL.set(_named(told))
        try:
            return await answer
        except RequestError as error:
            if isinstance(error, OverloadedError):
                self._stats.refused += 1
            code, sentence, trailing = error.code, str(error), self._trailing(error)
            logs.of_call().debug("a call was refused", code=code, reason=sentence)
        except Exception:  # noqa: BLE001 - the outermost net: no exception's message reaches a caller
            logs.of_call().exception("a call failed")
            code, sentence, trailing = ErrorCode.INTERNAL, INTERNAL, ()
        return RefusedCall(contract.STATUS_OF[code], sentence, trailing)

    async def forbid(self, sentence: str, context: WireContext) -> None:
        """End the call of a caller who may not call."""
        await self._answered(_raised(NotAllowedError(sentence)), context)

    def _trailing(self, error: RequestError) -> tuple[tuple[str, str], ...]:
        replica = ((contract.REPLICA_KEY, self._replica),) if self._replica else ()
        if isinstance(error, OverloadedError):
            return (*replica, (contract.RETRY_AFTER_KEY, str(error.retry_after_ms)))
        return replica

    def info(self) -> embedder_pb2.InfoResponse:
        """Return what is served; callable from any thread."""
        lifecycle = self._lifecycle
        info = embedder_pb2.InfoResponse(
            state=_STATES[lifecycle.state],
            limits=embedder_pb2.Limits(
                max_texts=contract.MAX_TEXTS,
                max_message_bytes=contract.MAX_MESSAGE_BYTES,
                max_queued_texts=self._max_queued_texts,
            ),
            daemon_version=__version__,
            wire_version=contract.WIRE_VERSION,
            versions={"python": platform.python_version(), "grpcio": grpc.__version__},
            cause=str(lifecycle.error or ""),
        )
        if facts := lifecycle.facts:
            info.space_id, info.model = facts.space.space_id, facts.space.model
            info.dimensions, info.max_tokens = facts.space.dimensions, facts.max_tokens
            info.query_prompt, info.document_prompt = facts.space.query_prompt, facts.space.document_prompt
            info.engine, info.device, info.precision = facts.name, facts.device, facts.precision
            info.batch_tolerance = facts.batch_tolerance
            info.versions.update(facts.versions)
            if facts.choice:
                info.versions[contract.CHOICE_KEY] = facts.choice
        if sentence := homebrew_check.outdated():
            info.versions[contract.OUTDATED_KEY] = sentence
        return info

    def counters(self) -> embedder_pb2.StatsResponse:
        """Return the counters since the process started; callable from any thread."""
        stats = self._stats
        return embedder_pb2.StatsResponse(
            uptime_s=time.monotonic() - stats.started_at,
            interactive=self._lane(QueueLane.INTERACTIVE),
            bulk=self._lane(QueueLane.BULK),
            batches=stats.batches,
            rows=stats.rows,
            tokens=stats.tokens,
            padded_tokens=stats.padded_tokens,
            item_errors=stats.item_errors,
            refused=stats.refused,
            expired=stats.expired,
            shed=stats.shed,
            bisected=stats.bisected,
            out_of_memory=stats.out_of_memory,
            cache_hits=stats.cache_hits,
            cache_misses=stats.cache_misses,
            cache_bytes=self._cache.bytes,
            deduplicated=stats.deduplicated,
            padding_waste=stats.padding_waste,
            quarantined=stats.quarantined,
            compute_s=stats.compute_s,
        )

    def _lane(self, lane: QueueLane) -> embedder_pb2.LaneStats:
        counters = self._stats.lanes[lane]
        return embedder_pb2.LaneStats(
            requests=counters.requests,
            texts=counters.texts,
            queued_texts=self._scheduler.queued(lane),
            batches=counters.batches,
        )


def _metadata(context: WireContext) -> dict[str, str]:
    return {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}


def _named(told: Mapping[str, str]) -> Mapping[str, str]:
    """Return a call's names in the log: its request id, and its place in a trace."""
    names = {"request_id": told.get(contract.REQUEST_ID_KEY, "")[:_NAME_LENGTH]}
    if found := _TRACEPARENT.match(told.get(contract.TRACEPARENT_KEY, "")):
        names |= {"trace_id": found[1], "span_id": found[2]}
    return {key: name for key, name in names.items() if name}


def _read(message: bytes) -> embedder_pb2.EmbedRequest | None:
    try:
        return embedder_pb2.EmbedRequest.FromString(message)
    except DecodeError:
        return None


async def _now(told: Callable[[], ResponseT]) -> ResponseT:
    return told()


async def _refused(sentence: str) -> embedder_pb2.EmbedResponse:
    raise InvalidRequestError(sentence)


async def _raised(error: RequestError) -> None:
    raise error


def _deadline(context: WireContext) -> float:
    """Return the call's deadline on time.monotonic; infinity if the caller set none."""
    remaining: float | None = context.time_remaining()  # aio returns None, which the stubs do not declare
    return math.inf if remaining is None else time.monotonic() + remaining
