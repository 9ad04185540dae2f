"""The daemon as it is, with a hash engine that a word in a text makes misbehave: `python -m tests.daemon.faulty`."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Callable, Sequence

from embedder_daemon import __main__
from embedder_daemon.engines import hash_engine
from embedder_daemon.engines.base import EmbedTask, Encoded, EngineOptions
from embedder_daemon.engines.hash_engine import HashEngine
from embedder_daemon.model.space import ModelFiles

DEEDS: dict[str, Callable[[], object]] = {
    "hang": lambda: threading.Event().wait(),
    "freeze": lambda: re.match(r"(a+)+$", "a" * 60 + "b"),  # hours, and Python's lock is held
    "slow": lambda: threading.Event().wait(0.05),
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
}


class Misbehaving(HashEngine):
    """Does the deed that a batch names, and computes it if it comes back."""

    def __init__(self) -> None:
        self._deeds = {self.encode([word], EmbedTask.DOCUMENT)[0].ids[0]: deed for word, deed in DEEDS.items()}

    def forward(self, batch: Sequence[Encoded]) -> list[bytes]:
        """Do and compute."""
        for deed in {self._deeds[token] for text in batch for token in text.ids if token in self._deeds}:
            deed()
        return super().forward(batch)


def create(options: EngineOptions, files: ModelFiles | None) -> HashEngine:
    """Return the engine."""
    return Misbehaving()


if __name__ == "__main__":
    hash_engine.create = create
    __main__.main()
