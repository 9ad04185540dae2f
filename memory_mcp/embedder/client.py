"""A client of the daemon, or of several, over gRPC; no module of the front but this and `connection` speaks it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from typing import Final

import grpc
import grpc.aio
from embedder_api.v1 import embedder_pb2 as pb
from embedder_api.v1 import wire
from embedder_api.v1.contract import (
    CHOICE_KEY,
    CODE_OF,
    DEADLINE_KEY,
    OUTDATED_KEY,
    REPLICA_KEY,
    REQUEST_ID_KEY,
    RETRY_AFTER_KEY,
    TEMPORARY,
    WIRE_KEY,
    WIRE_VERSION,
    ErrorCode,
)

from memory_common import tracing
from memory_common.tls_files import TlsFiles
from memory_mcp.domain.daemon import BreakerStatus, DaemonStatus
from memory_mcp.domain.errors import EmbedderError, SpaceMismatchError
from memory_mcp.domain.models import Condition, EmbeddedText, Embedding, Finding, Lane, Space, Task
from memory_mcp.domain.request import REQUEST_ID, TRACE
from memory_mcp.embedder.connection import LOOK_AT_LOG, DaemonChannel

INFO_DEADLINE_S: Final = 0.5
OLD_DAEMON: Final = "replace it with a daemon of this version: `memory-mcp daemon restart`"
OLD_FRONT: Final = "restart this client: its memory-mcp is older than the daemon"
BUILD_AGAIN: Final = "rebuild the daemon's environment: `memory-mcp daemon install`"

WITHOUT_EFFECT: Final = frozenset({"python", "grpcio", CHOICE_KEY, OUTDATED_KEY})
"""Keys of Info's versions that do not affect vectors."""
LANES: Final = {Lane.INTERACTIVE: pb.LANE_INTERACTIVE, Lane.BULK: pb.LANE_BULK}
TASKS: Final = {Task.QUERY: pb.TASK_QUERY, Task.DOCUMENT: pb.TASK_DOCUMENT}

OUR_WIRE: Final = (WIRE_KEY, str(WIRE_VERSION))
SENTENCES: Final[dict[ErrorCode, str]] = {
    ErrorCode.INVALID_REQUEST: "the daemon refused the request as invalid",
    ErrorCode.SPACE_MISMATCH: "the daemon serves another embedding space than this store's vectors",
    ErrorCode.FORBIDDEN: "the daemon does not let us call",
    ErrorCode.OVERLOADED: "the daemon is overloaded",
    ErrorCode.UNAVAILABLE: "the daemon is not serving",
    ErrorCode.DEADLINE: "the daemon did not answer in time",
    ErrorCode.INTERNAL: "the daemon failed",
}
FIXES: Final[dict[ErrorCode, str]] = {
    ErrorCode.SPACE_MISMATCH: "start the daemon with the model that made this store's vectors (EMBEDDER_MODEL), "
    "or recompute the vectors with the new one: memory-mcp reembed",
    ErrorCode.FORBIDDEN: "add a name of our certificate (MCP_MEMORY_EMBEDDER_TLS_CERT) to EMBEDDER_TLS_ALLOWED_NAMES",
    ErrorCode.OVERLOADED: "none needed: it is retried",
    ErrorCode.UNAVAILABLE: "none needed while it starts or stops; if this lasts, look at the daemon's log",
    ErrorCode.DEADLINE: LOOK_AT_LOG,
    ErrorCode.INTERNAL: LOOK_AT_LOG,
    ErrorCode.INVALID_REQUEST: "bring both to the same version: `memory-mcp daemon restart`, then restart this client",
}
QUOTED: Final = frozenset(
    {ErrorCode.SPACE_MISMATCH, ErrorCode.INVALID_REQUEST, ErrorCode.UNAVAILABLE, ErrorCode.FORBIDDEN}
)
"""The daemon's own sentence says more."""
FAULTY: Final = frozenset(
    {ErrorCode.FORBIDDEN, ErrorCode.OVERLOADED, ErrorCode.UNAVAILABLE, ErrorCode.DEADLINE, ErrorCode.INTERNAL}
)


class GrpcEmbedder:
    """A client of one daemon; see `domain.ports.Embedder`. It connects at the first call."""

    def __init__(self, address: str, tls: TlsFiles | None = None) -> None:
        self._name = f"memory-mcp/{os.getpid()}"
        self._connection = DaemonChannel(address, tls)

    async def embed(
        self, texts: Sequence[str], *, task: Task, lane: Lane, budget_s: float, expected_space: str | None
    ) -> Embedding:
        """Embed up to 256 texts within the budget, connecting included.

        Raises:
            SpaceMismatchError: the daemon serves another space.
            EmbedderError: the daemon returned no vectors, or invalid ones.
        """
        with tracing.child("embed", lane=lane.value, task=task.value, texts=len(texts)):
            return await self._embed(texts, task, lane, time.monotonic() + budget_s, expected_space)

    async def _embed(
        self, texts: Sequence[str], task: Task, lane: Lane, deadline: float, expected_space: str | None
    ) -> Embedding:
        await self._connection.ready(deadline)
        if self._connection.is_new:
            await self._check_wire(deadline)
        request = pb.EmbedRequest(
            texts=texts,
            lane=LANES[lane],
            task=TASKS[task],
            truncate=True,
            expected_space_id=expected_space or "",
            client=self._name,
        )
        left_s = max(0.001, deadline - time.monotonic())
        try:
            response: pb.EmbedResponse = await self._connection.stub.Embed(
                request, timeout=left_s, metadata=(*_about_request(), (DEADLINE_KEY, f"{left_s * 1000:.0f}"))
            )
        except grpc.aio.AioRpcError as error:
            self._connection.is_new = True
            raise to_error(error) from error
        made_by = await self._made_by(deadline) if any(item.error for item in response.items) else ""
        return to_embedding(response, len(texts), expected_space, made_by)

    async def _made_by(self, deadline: float) -> str:
        """Return what refused a text, as `to_made_by`; empty if the daemon does not say."""
        try:
            return to_made_by(await self._info(deadline))
        except EmbedderError:
            return ""

    async def _check_wire(self, deadline: float) -> None:
        """Check the version of the wire once per connection.

        Raises:
            EmbedderError: the daemon speaks another version, or does not answer.
        """
        info = await self._info(deadline)
        if info.wire_version != WIRE_VERSION:  # not faulty: the first call after a restart finds the new daemon
            fix = _wire_fix(info)
            raise EmbedderError(f"the daemon {_other_wire(info)}: {fix}", fix=fix, faulty=False)
        self._connection.is_new = False

    async def _info(self, deadline: float) -> pb.InfoResponse:
        try:
            info: pb.InfoResponse = await self._connection.stub.Info(
                pb.InfoRequest(), timeout=max(0.001, deadline - time.monotonic())
            )
        except grpc.aio.AioRpcError as error:
            raise to_error(error) from error
        return info

    async def info(self, budget_s: float) -> pb.InfoResponse:
        """Return the daemon's `Info`.

        Raises:
            EmbedderError: it does not answer.
        """
        deadline = time.monotonic() + budget_s
        await self._connection.ready(deadline)
        return await self._info(deadline)

    async def findings(self, expected_space: str | None, budget_s: float = INFO_DEADLINE_S) -> dict[str, Finding]:
        """Report the daemon's state, and whether it serves the expected space."""
        try:
            info = await self.info(budget_s)
        except EmbedderError as error:
            return {"daemon": Finding(Condition.DEGRADED, "unreachable", str(error), error.fix)}
        if expected_space and info.space_id and info.space_id != expected_space:
            return {"daemon": to_finding(info), "space": _mismatch(info.space_id, expected_space)}
        return {"daemon": to_finding(info)}

    async def served(self) -> DaemonStatus | None:
        """Return the daemon's `Info` and `Stats`; None if it does not answer within the deadline of `Info`."""
        deadline = time.monotonic() + INFO_DEADLINE_S
        try:
            await self._connection.ready(deadline)
            info = await self._info(deadline)
            stats: pb.StatsResponse = await self._connection.stub.Stats(
                pb.StatsRequest(), timeout=max(0.001, deadline - time.monotonic())
            )
        except (EmbedderError, grpc.aio.AioRpcError):
            return None
        return to_served(info, stats)

    def breaker(self) -> BreakerStatus:
        """Return None: this client has no breaker."""
        return BreakerStatus()

    def retry_in_s(self) -> float | None:
        """Return None: this client can always be called."""
        return None

    async def probe(self) -> None:
        """Do nothing: this client has no breaker to probe."""

    async def close(self) -> None:
        """Close the channel."""
        await self._connection.close()


def _about_request() -> tuple[tuple[str, str], ...]:
    """Return the metadata of a call: our version of the wire, the request id and the trace."""
    request_id = REQUEST_ID.get()
    trace = {**TRACE.get(), **tracing.headers()}
    return (OUR_WIRE, *(((REQUEST_ID_KEY, request_id),) if request_id else ()), *trace.items())


def to_error(error: grpc.aio.AioRpcError) -> EmbedderError:
    """Turn a gRPC status into an error; the daemon's own message is kept if it refused on purpose."""
    code = CODE_OF.get(error.code(), ErrorCode.INTERNAL)
    sentence = SENTENCES[code]
    told = dict(error.trailing_metadata() or ())
    if code in QUOTED and error.details():
        sentence = f"{sentence}: {error.details()}"
    if code is ErrorCode.OVERLOADED and (retry_ms := told.get(RETRY_AFTER_KEY)):
        sentence = f"{sentence} and asks to retry in {retry_ms!s} ms"
    if replica := told.get(REPLICA_KEY):
        sentence = f"{sentence} [{replica!s}]"
    kind = SpaceMismatchError if code is ErrorCode.SPACE_MISMATCH else EmbedderError
    return kind(sentence, fix=FIXES[code], faulty=code in FAULTY)


def to_embedding(response: pb.EmbedResponse, texts: int, expected_space: str | None, made_by: str = "") -> Embedding:
    """Check an answer and convert it; `made_by` is appended to each text's error.

    Raises:
        SpaceMismatchError: its vectors are of another space than expected, although the request named the space.
        EmbedderError: the answer does not fit the request, or a vector is not finite or is all zeros.
    """
    if expected_space and response.space_id != expected_space:
        raise SpaceMismatchError(
            f"{SENTENCES[ErrorCode.SPACE_MISMATCH]}: {response.space_id} instead of {expected_space}",
            fix=FIXES[ErrorCode.SPACE_MISMATCH],
            faulty=False,
        )
    if len(response.items) != texts or not response.space_id or not response.dimensions:
        raise EmbedderError(
            f"the daemon's answer is invalid: {len(response.items)} items of {response.dimensions} dimensions "
            f"in the space {response.space_id!r} for {texts} texts",
            fix=LOOK_AT_LOG,
        )
    try:
        rows = wire.split_rows(response.vectors, response.dimensions, sum(not item.error for item in response.items))
    except ValueError as error:
        raise EmbedderError(f"the daemon's answer is invalid: {error}", fix=LOOK_AT_LOG) from error
    if not all(map(wire.is_sound, rows)):
        raise EmbedderError("the daemon sent a vector that is not finite or is all zeros", fix=LOOK_AT_LOG)
    waiting = iter(rows)
    return Embedding(
        Space(response.space_id, response.dimensions),
        tuple(
            EmbeddedText(
                vector=None if item.error else next(waiting),
                truncated=item.truncated,
                consumed_chars=item.consumed_chars,
                error=f"{item.error} [{made_by}]" if item.error and made_by else item.error,
                temporary=item.error.partition(":")[0] in TEMPORARY,
            )
            for item in response.items
        ),
    )


def _mismatch(served: str, expected: str) -> Finding:
    cause = f"{SENTENCES[ErrorCode.SPACE_MISMATCH]}: {served} instead of {expected}"
    return Finding(Condition.DEGRADED, "mismatch", cause, FIXES[ErrorCode.SPACE_MISMATCH])


def to_made_by(info: pb.InfoResponse) -> str:
    """Name what computes a daemon's vectors: engine, precision, device and the versions of the code involved."""
    if not info.engine:
        return ""
    versions = {library: version for library, version in sorted(info.versions.items()) if library not in WITHOUT_EFFECT}
    code = [f"{library} {version}" for library, version in (versions | {"memory-mcp": info.daemon_version}).items()]
    return f"{info.engine} {info.precision} on {info.device}, {', '.join(code)}"


def to_served(info: pb.InfoResponse, stats: pb.StatsResponse) -> DaemonStatus:
    """Convert a daemon's `Info` and `Stats`."""
    return DaemonStatus(
        state=_state(info),
        model=info.model,
        engine=info.engine,
        device=info.device,
        precision=info.precision,
        space_id=info.space_id,
        version=info.daemon_version,
        uptime_s=stats.uptime_s,
        counters=_counters(stats),
        made_by=to_made_by(info),
    )


def _counters(stats: pb.StatsResponse | pb.LaneStats, prefix: str = "") -> dict[str, float]:
    """Return every counter by its name on the wire; a lane's are prefixed by the lane."""
    found: dict[str, float] = {}
    for field in stats.DESCRIPTOR.fields:
        value = getattr(stats, field.name)
        if isinstance(value, pb.LaneStats):
            found |= _counters(value, f"{field.name}_")
        elif field.name != "uptime_s":
            found[prefix + field.name] = value
    return found


def _state(info: pb.InfoResponse) -> str:
    return pb.State.Name(info.state).removeprefix("STATE_").lower()


def _other_wire(info: pb.InfoResponse) -> str:
    return f"speaks wire version {info.wire_version}, this front {WIRE_VERSION}"


def _wire_fix(info: pb.InfoResponse) -> str:
    return OLD_DAEMON if info.wire_version < WIRE_VERSION else OLD_FRONT


def _prompts(info: pb.InfoResponse) -> str:
    """Describe the prompts that the daemon puts before texts; empty if there are none."""
    prompts = {"query": info.query_prompt, "document": info.document_prompt}
    return "".join(
        f", {task} prompt {json.dumps(prompt, ensure_ascii=False)}" for task, prompt in prompts.items() if prompt
    )


def _unmeasured(info: pb.InfoResponse) -> str:
    """Say how to measure the engines if that was not done; the reason names a command only in that case."""
    choice = info.versions.get(CHOICE_KEY, "")
    return f"; {choice}" if "embedder_daemon.autotune" in choice else ""


def to_finding(info: pb.InfoResponse) -> Finding:
    """Return the finding on a daemon that answered."""
    state = _state(info)
    detail = (
        f"{info.model}, {info.engine} {info.precision} on {info.device}, version {info.daemon_version}{_prompts(info)}"
        f"{_unmeasured(info)}"
    )
    if info.wire_version != WIRE_VERSION:
        return Finding(Condition.DEGRADED, state, f"it {_other_wire(info)}", _wire_fix(info), detail)
    if info.state in {pb.STATE_SERVING, pb.STATE_ASLEEP} and OUTDATED_KEY in info.versions:
        return Finding(Condition.DEGRADED, state, info.versions[OUTDATED_KEY], BUILD_AGAIN, detail)
    if info.state in {pb.STATE_SERVING, pb.STATE_ASLEEP}:
        return Finding(Condition.OK, state, detail=detail)
    if info.state == pb.STATE_FAILED:
        return Finding(Condition.DEGRADED, state, info.cause, LOOK_AT_LOG, detail)
    return Finding(Condition.DEGRADED, state, f"the daemon is {state}", "none needed: it is retried", detail)
