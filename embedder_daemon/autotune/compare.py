"""Measures each candidate in a separate process, and records the results."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from subprocess import TimeoutExpired
from typing import Final

from embedder_daemon.autotune.measure import options_of, say
from embedder_daemon.engines import autotune_result, converted, golden
from embedder_daemon.engines.autotune_result import AutotuneResult, Figure
from embedder_daemon.errors import DaemonError, LoadError
from embedder_daemon.model import discovery
from embedder_daemon.model.space import ModelFiles
from embedder_daemon.settings import DaemonSettings
from embedder_daemon.system import child_process
from memory_common import engines
from memory_common.engines import AUTO

_CANDIDATE_S: Final = 90.0
_STARVED: Final = 0.5
"""A slow candidate that used less of one processor than this was waiting for it; emulation keeps all of them busy."""


class _LateError(LoadError):
    """A candidate exceeded its time limit."""


def compare(chosen: DaemonSettings, arguments: Sequence[str], *, in_background: bool) -> None:
    """Measure each candidate in a separate process, and record the result.

    Raises:
        LoadError: no candidate passed, or one was starved in the background, so its result would be wrong for good.
    """
    files = discovery.configured(chosen)
    if golden.find(files.space) is None:
        _child("golden", arguments, "torch", "float32")
    figures = []
    conditions = autotune_result.conditions(files.space, options_of(chosen))
    for engine, precision in engines.candidates(gpu=conditions.device != "cpu"):
        kind = converted.FORMATS.get((engine, precision))
        error = _prepare(files, kind) if kind else ""
        figure = Figure(engine, precision, error=error) if error else _candidate(arguments, engine, precision)
        say(_line(figure))
        if in_background and figure.starved:
            raise LoadError(f"other programs used the processors ({figure.error}); the next start measures again")
        figures.append(figure)
    best = autotune_result.pick(figures, AUTO, AUTO)
    if best is None:
        raise LoadError(f"no engine computes correct vectors on this machine: {_failures(figures)}")
    date = datetime.now(UTC).date().isoformat()
    try:
        file = autotune_result.write(AutotuneResult(conditions, date, tuple(figures)))
    except OSError as error:
        raise LoadError(f"{autotune_result.path(conditions)} cannot be written: {error.strerror}") from error
    say(f"EMBEDDER_ENGINE=auto is {best.engine} {best.precision} from now on ({file})")


def _failures(figures: Sequence[Figure]) -> str:
    """Say why each candidate failed; groups candidates with the same reason."""
    names: dict[str, list[str]] = {}
    for figure in figures:
        reason = figure.error or f"cosine {figure.worst_cosine:.6f}, which is too low"
        names.setdefault(reason, []).append(f"{figure.engine} {figure.precision}")
    return "; ".join(f"{', '.join(those)}: {reason}" for reason, those in names.items())


def _prepare(files: ModelFiles, kind: converted.EngineFormat) -> str:
    """Convert before timing anything; return why the engine cannot be measured, else nothing."""
    try:
        converted.graph(files, kind)
    except ModuleNotFoundError as error:
        return f"the package {error.name} is not installed"
    except DaemonError as error:
        return str(error)
    return ""


def _candidate(arguments: Sequence[str], engine: str, precision: str) -> Figure:
    """Return one figure; failures of the process are its `error`."""
    began, used = time.monotonic(), _used_s()
    try:
        figure = Figure(**json.loads(_child("measure", arguments, engine, precision)))
    except _LateError as error:
        figure = Figure(engine, precision, error=str(error))
    except (LoadError, ValueError, TypeError) as error:
        return Figure(engine, precision, error=str(error))
    share = (_used_s() - used) / (time.monotonic() - began)
    return replace(figure, starved=bool(figure.error) and share < _STARVED)


def _used_s() -> float:
    """Return the processor seconds of finished child processes."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _child(task: str, arguments: Sequence[str], engine: str, precision: str) -> str:
    """Run autotune for one engine; raises LoadError with its message if it fails or takes too long."""
    chosen = [*arguments, "--engine", engine, "--precision", precision]
    try:
        return child_process.run("autotune", task, *chosen, timeout_s=_CANDIDATE_S)
    except TimeoutExpired as error:
        raise _LateError(f"not finished after {_CANDIDATE_S:.0f} s") from error
    except OSError as error:
        raise LoadError(f"{sys.executable} cannot be started: {error.strerror}") from error
    except child_process.ChildError as error:
        raise LoadError(str(error)) from error


def _line(figure: Figure) -> str:
    name = f"{figure.engine} {figure.precision}"
    if figure.error:
        return f"  {name}: {figure.error}"
    numbers = f"{figure.short_ms:.1f} ms for a short text, {figure.texts_per_s:.0f} texts/s"
    return f"  {name}: {numbers}, cosine {figure.worst_cosine:.6f}{'' if figure.passed else ': too low'}"
