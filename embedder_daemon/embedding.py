"""One `Embed` call: checks the request, tokenises, queues, and puts the answer together."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from embedder_api.v1 import embedder_pb2
from embedder_api.v1.contract import MAX_TEXTS, ItemError

from embedder_daemon.engines.base import Encoded, Engine, Task
from embedder_daemon.errors import DeadlineError, InvalidRequestError, SpaceMismatchError
from embedder_daemon.lifecycle import Lifecycle
from embedder_daemon.scheduler.packing import Lane
from embedder_daemon.scheduler.scheduler import Outcome, Scheduler
from embedder_daemon.scheduler.worker import Worker
from embedder_daemon.stats import Stats

_LANES: Final = {
    embedder_pb2.LANE_UNSPECIFIED: Lane.INTERACTIVE,
    embedder_pb2.LANE_INTERACTIVE: Lane.INTERACTIVE,
    embedder_pb2.LANE_BULK: Lane.BULK,
}
_TASKS: Final = {
    embedder_pb2.TASK_UNSPECIFIED: Task.DOCUMENT,
    embedder_pb2.TASK_QUERY: Task.QUERY,
    embedder_pb2.TASK_DOCUMENT: Task.DOCUMENT,
}
_SENTENCES: Final = {
    ItemError.EMPTY: "the text is empty or blank",
    ItemError.FAILED: "the model could not compute the batch that held this text: see the daemon's log",
    ItemError.NOT_FINITE: "the model's vector is not finite, or is zero",
}
_TOKENISERS: Final = 2  # threads: one long text must not hold up the short ones


@dataclass(frozen=True, slots=True)
class _Request:
    """A checked `EmbedRequest`; `deadline` is on time.monotonic."""

    texts: Sequence[str]
    lane: Lane
    task: Task
    truncate: bool
    expected_space_id: str
    client: str
    deadline: float


@dataclass(slots=True)
class _Item:
    """What becomes of one text."""

    encoded: Encoded | None = None
    error: str = ""


class Embedding:
    """Answers `Embed`."""

    def __init__(self, lifecycle: Lifecycle, scheduler: Scheduler, stats: Stats) -> None:
        self._lifecycle = lifecycle
        self._scheduler = scheduler
        self._stats = stats
        self._tokenisers = Worker("tokenise", _TOKENISERS)

    def close(self, timeout_s: float) -> bool:
        """Let the tokenising threads end, and say whether they did within the time."""
        return self._tokenisers.close(timeout_s)

    async def answer(self, message: embedder_pb2.EmbedRequest, deadline: float) -> embedder_pb2.EmbedResponse:
        """Return vectors and items for the texts of a request.

        Raises:
            RequestError: what is wrong with the request as a whole.
        """
        started = time.monotonic()
        request = _checked(message, deadline)
        with self._scheduler.admission.hold(len(request.texts)):
            self._stats.count_request(request.lane, len(request.texts))
            async with self._lifecycle.engine(deadline) as engine:
                _check_space(engine, request.expected_space_id)
                items = await self._items(engine, request)
                outcome = await self._scheduler.submit(
                    [item.encoded for item in items if item.encoded and not item.error],
                    lane=request.lane,
                    client=request.client,
                    deadline=deadline,
                )
                response = _response(engine, items, outcome)
        self._stats.item_errors += sum(bool(item.error) for item in items)
        response.timing.total_us = _us(time.monotonic() - started)
        return response

    async def _items(self, engine: Engine, request: _Request) -> list[_Item]:
        """Tokenise the texts off the event loop; blank ones, and those too long to be taken, get an error."""
        items = [_Item() if text.strip() else _Item(error=_error(ItemError.EMPTY)) for text in request.texts]
        whole = [text for text, item in zip(request.texts, items, strict=True) if not item.error]
        if not whole:
            return items
        encoded = await self._tokenisers.run(engine.encode, whole, request.task)
        _check_deadline(request.deadline)
        for item, tokens in zip((item for item in items if not item.error), encoded, strict=True):
            item.encoded = tokens
        for item in items:
            if item.encoded and item.encoded.truncated and not request.truncate:
                item.error = _too_long(item.encoded.token_count, engine.facts.max_tokens)
        return items


def _checked(message: embedder_pb2.EmbedRequest, deadline: float) -> _Request:
    """Return the request's values, or raise InvalidRequestError or DeadlineError."""
    if not 1 <= len(message.texts) <= MAX_TEXTS:
        raise InvalidRequestError(f"a request holds 1 to {MAX_TEXTS} texts, and this one has {len(message.texts)}")
    if message.lane not in _LANES:
        raise InvalidRequestError(f"there is no lane {message.lane}")
    if message.task not in _TASKS:
        raise InvalidRequestError(f"there is no task {message.task}")
    _check_deadline(deadline)
    return _Request(
        texts=list(message.texts),
        lane=_LANES[message.lane],
        task=_TASKS[message.task],
        truncate=message.truncate,
        expected_space_id=message.expected_space_id,
        client=message.client,
        deadline=deadline,
    )


def _check_deadline(deadline: float) -> None:
    if deadline <= time.monotonic():
        raise DeadlineError("the deadline passed before the texts were computed")


def _check_space(engine: Engine, expected: str) -> None:
    served = engine.facts.space.space_id
    if expected and expected != served:
        raise SpaceMismatchError(f"the daemon serves the space {served!r}, and the caller expects {expected!r}")


def _response(engine: Engine, items: list[_Item], outcome: Outcome) -> embedder_pb2.EmbedResponse:
    """Put rows and items together; a row that failed becomes its item's error."""
    results = iter(outcome.rows)
    for item in items:
        if not item.error and isinstance(result := next(results), ItemError):
            item.error = _error(result)
    return embedder_pb2.EmbedResponse(
        vectors=b"".join(row for row in outcome.rows if isinstance(row, bytes)),
        dimensions=engine.facts.space.dimensions,
        items=[_message(item) for item in items],
        space_id=engine.facts.space.space_id,
        timing=embedder_pb2.EmbedResponse.Timing(queue_us=_us(outcome.queue_s), compute_us=_us(outcome.compute_s)),
    )


def _message(item: _Item) -> embedder_pb2.EmbedResponse.Item:
    if item.encoded is None:
        return embedder_pb2.EmbedResponse.Item(error=item.error)
    if item.error:
        return embedder_pb2.EmbedResponse.Item(token_count=item.encoded.token_count, error=item.error)
    return embedder_pb2.EmbedResponse.Item(
        token_count=item.encoded.token_count,
        truncated=item.encoded.truncated,
        consumed_chars=item.encoded.consumed_chars,
    )


def _error(code: ItemError) -> str:
    return f"{code}: {_SENTENCES[code]}"


def _too_long(tokens: int, max_tokens: int) -> str:
    return f"{ItemError.TOO_LONG}: the text has {tokens} tokens, and max_tokens is {max_tokens}"


def _us(seconds: float) -> int:
    return round(seconds * 1e6)
