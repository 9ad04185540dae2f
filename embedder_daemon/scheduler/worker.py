"""Threads for blocking work: one for the model, a few for tokenising."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Worker:
    """Runs functions in order of arrival, and passes their results to the event loop.

    Unlike those of concurrent.futures, its threads are daemon threads: a load or a forward pass that hangs must not
    keep the process from exiting.
    """

    def __init__(self, name: str, threads: int = 1) -> None:
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads = [threading.Thread(target=self._work, name=name, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the function's result or raise its exception as `contained` does; cancelling does not interrupt it."""
        future: Future[T] = Future()
        self._jobs.put(partial(_settle, future, partial(function, *args, **kwargs)))
        return await asyncio.wrap_future(future)

    def close(self, timeout_s: float) -> bool:
        """Let the threads end after the waiting jobs; return whether they did within the time."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join(timeout_s)
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            with contextlib.suppress(RuntimeError):  # the event loop is closed: nobody waits any more
                job()


def _settle(future: Future[T], function: Callable[[], T]) -> None:
    """Run one job; skips it if its caller has left."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = contained(function)
    except Exception as error:  # noqa: BLE001 - passed on to the awaiting task
        future.set_exception(error)
    else:
        future.set_result(result)


def contained(function: Callable[[], T]) -> T:
    """Return the function's result; raises other BaseExceptions, such as Rust's panics, as a RuntimeError.

    Otherwise they would end the event loop, or silently a task.
    """
    try:
        return function()
    except Exception:
        raise
    except BaseException as error:
        raise RuntimeError(f"{type(error).__name__} was raised") from error
