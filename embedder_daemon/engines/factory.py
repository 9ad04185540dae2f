"""From an engine's name to an engine; its module is imported only when it is chosen."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol, cast

from embedder_daemon.engines.base import Engine, EngineOptions
from embedder_daemon.errors import EngineMissingError
from embedder_daemon.space import ModelFiles


class _Entry(NamedTuple):
    module: str
    needs_model: bool
    mend: str


ENGINES: Final = {
    "torch": _Entry("torch_engine", needs_model=True, mend="run `make setup`, or pip install torch==2.13.0"),
    "hash": _Entry("hash_engine", needs_model=False, mend="install memory-mcp again"),
}
AUTO: Final = "torch"


class _Module(Protocol):
    def create(self, options: EngineOptions, files: ModelFiles | None) -> Engine: ...


def build(name: str, options: EngineOptions, find_model: Callable[[], ModelFiles]) -> Engine:
    """Return the engine of that name with its model loaded; takes seconds, so call it off the event loop.

    Raises:
        EngineMissingError: a package that the engine needs is not installed.
        DaemonError: whatever `find_model` and the engine raise.
    """
    chosen = AUTO if name == "auto" else name
    entry = ENGINES[chosen]
    files = find_model() if entry.needs_model else None  # before the import: a missing model is told at once
    try:
        module = cast(_Module, importlib.import_module(f"embedder_daemon.engines.{entry.module}"))
    except ModuleNotFoundError as error:
        raise EngineMissingError(f"the engine {chosen} needs the package {error.name}: {entry.mend}") from error
    return module.create(options, files)
