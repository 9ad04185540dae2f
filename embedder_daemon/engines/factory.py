"""Builds an engine by name, ours or a package's; imports its module only if it is chosen."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, cast

from embedder_daemon import logs
from embedder_daemon.engines import autotune_result, golden
from embedder_daemon.engines.base import Engine, EngineOptions
from embedder_daemon.errors import INSTALL, EngineMissingError
from embedder_daemon.model.space import ModelFiles
from embedder_daemon.settings import ENGINE_GROUP
from memory_common import plugins
from memory_common.engines import AUTO, ENGINES, MODEL_ENGINES, NAMES

FindModel = Callable[[], ModelFiles]
MakeEngine = Callable[[EngineOptions, FindModel], Engine]
"""The function behind an entry point; returns an engine with its model loaded. `files` is None for one with its own."""


class _Module(Protocol):
    def create(self, options: EngineOptions, files: ModelFiles | None) -> Engine: ...


def build(name: str, options: EngineOptions, find_model: FindModel) -> Engine:
    """Return the named or the fastest engine after its golden check; takes seconds, so call it off the event loop.

    Raises:
        EngineMissingError: a package that the engine needs is missing, or a package that adds an engine is broken.
        DaemonError: whatever `find_model`, the engine and the golden check raise.
    """
    if (make := _added(name)) is not None:
        engine = make(options, find_model)
        golden.check(engine)  # checks a package's engine if it claims a space with golden vectors
        return engine
    if name != AUTO and not ENGINES[name].package:
        return create(name, options, None)
    files = find_model()  # before the import, to report a missing model at once
    if AUTO in {name, options.precision}:
        name, options = _choose(name, options, files)
    engine = create(name, options, files)
    golden.check(engine, golden.find(files.space) or _made(engine, files))
    return engine


def _made(engine: Engine, files: ModelFiles) -> golden.GoldenVectors | None:
    """Compute and cache golden vectors of a model that has none yet; None if there is nothing to compare.

    The reference for every engine is torch with float32 on the CPU. A conversion was compared when it was made.
    """
    facts = engine.facts
    if facts.name != "torch" or (facts.device, facts.precision) == ("cpu", "float32"):
        return None
    reference = create("torch", EngineOptions(device="cpu", precision="float32"), files)
    made = golden.make(reference, golden.texts())
    reference.close()
    try:
        golden.keep(made, files.space)
    except OSError as error:
        logs.get().warning("the golden vectors cannot be cached", reason=error.strerror)
    return made


def _added(name: str) -> MakeEngine | None:
    """Return a package's engine of this name; None if the name is ours."""
    try:
        added = plugins.added(ENGINE_GROUP, NAMES)
        return cast("MakeEngine", plugins.load(added[name])) if name in added else None
    except plugins.PluginError as error:
        raise EngineMissingError(f"EMBEDDER_ENGINE: {error}") from error


def create(name: str, options: EngineOptions, files: ModelFiles | None) -> Engine:
    """Return the engine with its model loaded but unchecked; raises as `build`."""
    entry = ENGINES[name]
    try:
        module = cast(_Module, importlib.import_module(f"embedder_daemon.engines.{entry.module}"))
        return module.create(options, files)
    except ModuleNotFoundError as error:
        raise EngineMissingError(f"the engine {name} needs the package {error.name}: {_fix(name)}") from error


def _fix(name: str) -> str:
    """Return the command that installs an engine's package."""
    entry = ENGINES[name]
    if not entry.package:
        return "install memory-mcp again"
    install = f"run `memory-mcp daemon install --engine {name}`" if entry.extras else INSTALL
    return f"{install}, or pip install {entry.pin}"


def _fallback() -> str:
    """Return the engine that auto means if nothing was measured."""
    return next((name for name in MODEL_ENGINES if importlib.util.find_spec(ENGINES[name].package)), MODEL_ENGINES[0])


def _choose(name: str, options: EngineOptions, files: ModelFiles) -> tuple[str, EngineOptions]:
    """Resolve auto by the measurement."""
    known = autotune_result.read(autotune_result.conditions(files.space, options))
    choice = autotune_result.choose(known, name, options.precision, _fallback())
    if not choice.measured:
        logs.get().warning(f"{choice.engine} {choice.precision}: {choice.reason}")
    return choice.engine, replace(options, precision=choice.precision, choice=choice.reason)
