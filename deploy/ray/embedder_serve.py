"""The embedder as a deployment of Ray Serve: each replica is a daemon's core, with its own queue, lanes and batches.

Serve's direct ingress calls the methods by their names in `embedder.proto`. What it does not pass on is done here: a
call's deadline comes in `deadline-ms`, and a refusal goes out as a status on an empty answer, because the metadata of a
raised error is lost, and the text of one that nobody expected would reach the caller.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, TypeVar

import grpc
from embedder_api.v1 import contract
from embedder_api.v1 import embedder_pb2 as pb
from google.protobuf.message import Message
from queued_texts import METRIC
from ray import serve  # type: ignore[import-not-found]  # in an environment of its own

from embedder_daemon import logs, settings
from embedder_daemon.core import Core, begin_traces, builder
from embedder_daemon.engines.base import Engine
from embedder_daemon.runtime.lifecycle import DaemonState
from embedder_daemon.service import RefusedCall

AnswerT = TypeVar("AnswerT", bound=Message)


class CallContext(Protocol):
    """What Serve passes as `grpc_context`."""

    def invocation_metadata(self) -> list[tuple[str, str]]: ...

    def set_code(self, code: grpc.StatusCode) -> None: ...

    def set_details(self, details: str) -> None: ...

    def set_trailing_metadata(self, trailing_metadata: list[tuple[str, str]]) -> None: ...


class EmbedderReplica:
    """One replica; it counts as started once its model is loaded."""

    async def __init__(self) -> None:  # type: ignore[misc]  # Serve awaits it
        chosen = settings.load([])
        logs.configure(chosen.log_level, chosen.log_format, content=chosen.log_content)
        if chosen.otel_endpoint:
            begin_traces(chosen.otel_endpoint)
        self._settled = asyncio.Event()
        self._core = Core(
            chosen, self.builder(chosen), listener=self._changed, name=serve.get_replica_context().replica_tag
        )
        self._core.start()
        await self._settled.wait()
        self.check_health()

    def builder(self, chosen: settings.DaemonSettings) -> Callable[[], Engine]:
        """Return what loads the engine."""
        return builder(chosen)

    async def _changed(self, state: DaemonState) -> None:
        if state is not DaemonState.LOADING:
            self._settled.set()

    async def Embed(self, request: pb.EmbedRequest, grpc_context: CallContext) -> pb.EmbedResponse:  # noqa: N802 - its name in the protocol
        """Return one vector for each text without an item error."""
        told = dict(grpc_context.invocation_metadata())
        answer = self._core.service.embed(request, told, _deadline(told))
        return await self._answered(answer, told, grpc_context, pb.EmbedResponse())

    async def Info(self, request: pb.InfoRequest, grpc_context: CallContext) -> pb.InfoResponse:  # noqa: N802 - likewise
        """Describe what is served."""
        del request
        told = dict(grpc_context.invocation_metadata())
        return await self._answered(_now(self._core.service.info), told, grpc_context, pb.InfoResponse())

    async def Stats(self, request: pb.StatsRequest, grpc_context: CallContext) -> pb.StatsResponse:  # noqa: N802 - likewise
        """Return this replica's counters."""
        del request
        told = dict(grpc_context.invocation_metadata())
        return await self._answered(_now(self._core.service.counters), told, grpc_context, pb.StatsResponse())

    async def _answered(
        self, answer: Awaitable[AnswerT], told: Mapping[str, str], grpc_context: CallContext, empty: AnswerT
    ) -> AnswerT:
        settled = await self._core.service.settled(answer, told)
        if not isinstance(settled, RefusedCall):
            return settled
        grpc_context.set_code(settled.status)
        grpc_context.set_details(settled.sentence)
        grpc_context.set_trailing_metadata(list(settled.trailing))
        return empty

    def check_health(self) -> None:
        """Let Serve replace this replica when its model cannot be loaded or hangs.

        Raises:
            DaemonError: why.
        """
        if error := self._core.lifecycle.error:
            raise error

    def record_autoscaling_stats(self) -> dict[str, float]:
        """Tell Serve how many texts wait here or are being computed, in whatever number of calls."""
        return {METRIC: float(self._core.admitted_texts())}


async def _now(told: Callable[[], AnswerT]) -> AnswerT:
    return told()


def _deadline(told: Mapping[str, str]) -> float:
    """Return the call's deadline on time.monotonic; infinity if the caller told none, or nothing that is a number."""
    left = told.get(contract.DEADLINE_KEY, "")
    return time.monotonic() + int(left) / 1000 if left.isascii() and left.isdecimal() and len(left) < 10 else math.inf


app = serve.deployment(EmbedderReplica).bind()
