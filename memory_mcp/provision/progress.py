"""How an installation tells what it does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol

from memory_mcp.provision.process import Hear


class InstallProgress(Protocol):
    """Tells the user what is done, and why."""

    def say(self, sentence: str) -> None:
        """Tell something that stays on the screen."""
        ...

    def step(self, title: str) -> AbstractContextManager[Hear]:
        """Tell that a step runs, as long as it runs; what is given takes the latest line of its output."""
        ...


@dataclass(frozen=True)
class Lines:
    """One line for each sentence and each step, for logs and pipes."""

    write: Callable[[str], None]

    def say(self, sentence: str) -> None:
        """Write it."""
        self.write(sentence)

    @contextmanager
    def step(self, title: str) -> Iterator[Hear]:
        """Write the title when it begins."""
        self.write(title)
        yield lambda _: None
