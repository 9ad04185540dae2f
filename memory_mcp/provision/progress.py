"""How an installation reports its progress."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol

from memory_mcp.provision.process import Hear


class InstallProgress(Protocol):
    """Tells the user what is being done and why."""

    def say(self, sentence: str) -> None:
        """Print a sentence that stays on the screen."""
        ...

    def step(self, title: str) -> AbstractContextManager[Hear]:
        """Show a step while it runs; the context's value takes the latest line of the step's output."""
        ...


@dataclass(frozen=True)
class Lines:
    """Writes one line per sentence and per step, for logs and pipes."""

    write: Callable[[str], None]

    def say(self, sentence: str) -> None:
        self.write(sentence)

    @contextmanager
    def step(self, title: str) -> Iterator[Hear]:
        self.write(title)
        yield lambda _: None
