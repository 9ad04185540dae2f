"""`python -I -m embedder_daemon.autotune`: measure the engines on this machine, and remember which is the fastest.

`make setup` and `memory-mcp daemon install` run it once. It takes the daemon's own settings (model, threads, device).
With `measure` before them it measures the one engine that they name, with `golden` it puts golden vectors into the
cache folder, and with `background` it does everything at the lowest priority and ends when its stdin does.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import statistics
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from subprocess import TimeoutExpired
from typing import Final

from embedder_daemon import logs, settings
from embedder_daemon.engines import autotune_result, converted, factory, golden
from embedder_daemon.engines.autotune_result import AutotuneResult, Figure
from embedder_daemon.engines.base import EmbedTask, Engine, EngineOptions
from embedder_daemon.errors import DaemonError, LoadError
from embedder_daemon.model import discovery
from embedder_daemon.model.space import ModelFiles
from embedder_daemon.runtime import endpoint
from embedder_daemon.system import child_process

CANDIDATES: Final = (
    ("openvino", "bfloat16"),
    ("openvino", "float32"),
    ("torch", "float32"),
    ("torch", "bfloat16"),
    ("onnx", "float32"),
)
ON_A_GPU: Final = (("torch", "float16"),)
TOO_SLOW_MS: Final = 250.0
"""A short text that takes longer ends the measurement: bfloat16 is emulated on processors that have none."""
_CANDIDATE_S: Final = 90.0
_SHORT_TEXT: Final = "Where does Marta keep the spare key of the boat house?"
_PASSES: Final = 30
_ROUNDS: Final = 3
_STARVED: Final = 0.5
"""Whoever is slow with less of one processor than this waited for it; what is emulated keeps all of them busy."""


class _LateError(LoadError):
    """A candidate did not end in time."""


def main(arguments: Sequence[str]) -> int:
    """Do what the first argument says; the exit codes stand in `errors`."""
    tasks = {"measure": _measure, "golden": _golden}
    logs.configure("warning", "auto")
    try:
        if arguments and arguments[0] in tasks:
            tasks[arguments[0]](settings.load(arguments[1:]))
        elif arguments and arguments[0] == "background":
            _in_background(arguments[1:])
        else:
            _choose(settings.load(arguments), arguments, in_background=False)
    except DaemonError as error:
        sys.stderr.write(f"{' '.join(str(error).split())}\n")
        return error.exit_code
    return 0


def _in_background(arguments: Sequence[str]) -> None:
    """Choose without being in anybody's way, unless another process does; the parent holds the other end of stdin."""
    os.nice(19)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    place = autotune_result.folder() / "measuring"
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LoadError(f"{place.parent} cannot be made: {error.strerror}") from error
    lock = endpoint.lock_of(place)
    if lock.take():
        _choose(settings.load(arguments), arguments, in_background=True)
    else:
        _say(f"process {lock.owner()} measures the engines now")


def _end_with_parent() -> None:
    """Kill this process and its children, which are a group of their own, when whoever started it is gone."""
    os.read(sys.stdin.fileno(), 1)  # no buffer: Python ends in a crash while a thread holds that one's lock
    os.killpg(0, signal.SIGKILL)


def _choose(chosen: settings.DaemonSettings, arguments: Sequence[str], *, in_background: bool) -> None:
    """Measure each candidate in a process of its own, and write the verdict.

    Raises:
        LoadError: no candidate passed, or one was starved in the background: a verdict would hold for good.
    """
    files = discovery.configured(chosen)
    if golden.find(files.space) is None:
        _child("golden", arguments, "torch", "float32")
    figures = []
    conditions = autotune_result.conditions(files.space, _options(chosen))
    for engine, precision in candidates(conditions.device):
        kind = converted.FORMATS.get((engine, precision))
        error = _prepare(files, kind) if kind else ""
        figure = Figure(engine, precision, error=error) if error else _candidate(arguments, engine, precision)
        _say(_line(figure))
        if in_background and figure.starved:
            raise LoadError(f"other programs had the processors ({figure.error}): the next start measures again")
        figures.append(figure)
    best = autotune_result.pick(figures, "auto", "auto")
    if best is None:
        raise LoadError(f"no engine computes right vectors on this machine: {_failures(figures)}")
    date = datetime.now(UTC).date().isoformat()
    try:
        file = autotune_result.write(AutotuneResult(conditions, date, tuple(figures)))
    except OSError as error:
        raise LoadError(f"{autotune_result.path(conditions)} cannot be written: {error.strerror}") from error
    _say(f"EMBEDDER_ENGINE=auto is {best.engine} {best.precision} from now on ({file})")


def _failures(figures: Sequence[Figure]) -> str:
    """Say why each candidate failed; a reason that several have in common once."""
    names: dict[str, list[str]] = {}
    for figure in figures:
        reason = figure.error or f"cosine {figure.worst_cosine:.6f}, which is too far off"
        names.setdefault(reason, []).append(f"{figure.engine} {figure.precision}")
    return "; ".join(f"{', '.join(those)}: {reason}" for reason, those in names.items())


def candidates(device: str) -> tuple[tuple[str, str], ...]:
    """Return what is measured on a device; auto may be a GPU."""
    return CANDIDATES if device == "cpu" else CANDIDATES + ON_A_GPU


def _prepare(files: ModelFiles, kind: converted.EngineFormat) -> str:
    """Convert before anything is timed; return why the engine cannot be measured, or nothing."""
    try:
        converted.graph(files, kind)
    except ModuleNotFoundError as error:
        return f"the package {error.name} is not installed"
    except DaemonError as error:
        return str(error)
    return ""


def _candidate(arguments: Sequence[str], engine: str, precision: str) -> Figure:
    """Return one figure; whatever goes wrong in that process is its `error`."""
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
    """Return the seconds of processors that ended children have had."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _child(task: str, arguments: Sequence[str], engine: str, precision: str) -> str:
    """Run this module again; raise LoadError with its own message when it fails or takes too long."""
    chosen = [*arguments, "--engine", engine, "--precision", precision]
    try:
        return child_process.run("autotune", task, *chosen, timeout_s=_CANDIDATE_S)
    except TimeoutExpired as error:
        raise _LateError(f"not done after {_CANDIDATE_S:.0f} s") from error
    except OSError as error:
        raise LoadError(f"{sys.executable} cannot be started: {error.strerror}") from error
    except child_process.ChildError as error:
        raise LoadError(str(error)) from error


def _options(chosen: settings.DaemonSettings) -> EngineOptions:
    return EngineOptions(device=chosen.device, precision=chosen.precision, threads=chosen.threads)


def _engine(chosen: settings.DaemonSettings) -> Engine:
    return factory.create(chosen.engine, _options(chosen), discovery.configured(chosen))


def _measure(chosen: settings.DaemonSettings) -> None:
    """Print the figure of one engine as JSON."""
    engine = _engine(chosen)
    short_ms = _short_ms(engine, passes=3)
    if short_ms > TOO_SLOW_MS:
        slow = f"{short_ms:.0f} ms for one short text: not measured further"
        _say(json.dumps(asdict(Figure(chosen.engine, chosen.precision, error=slow))))
        return
    known = golden.find(engine.facts.space)
    if known is None:
        raise LoadError("there are no golden vectors to compare with")
    worst = golden.measure(engine, known)  # before the timing, which it warms up for
    figure = Figure(chosen.engine, chosen.precision, _short_ms(engine, _PASSES), _texts_per_s(engine, known), worst)
    _say(json.dumps(asdict(figure)))


def _short_ms(engine: Engine, passes: int) -> float:
    seconds = []
    for _ in range(passes):
        started = time.perf_counter()
        engine.forward(engine.encode([_SHORT_TEXT], EmbedTask.QUERY))
        seconds.append(time.perf_counter() - started)
    return 1000.0 * statistics.median(seconds)


def _texts_per_s(engine: Engine, known: golden.GoldenVectors) -> float:
    """Return the best of some rounds, because other programs can only slow one down."""
    rates = []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        for batch in golden.batches(engine.encode(known.texts, EmbedTask.DOCUMENT)):
            engine.forward(batch)
        rates.append(len(known.texts) / (time.perf_counter() - started))
    return max(rates)


def _golden(chosen: settings.DaemonSettings) -> None:
    """Compute golden vectors with torch as float32 on the CPU, and keep them in the cache folder."""
    options = EngineOptions(device="cpu", precision="float32", threads=chosen.threads)
    files = discovery.configured(chosen)
    made = golden.make(factory.create("torch", options, files), golden.texts())
    try:
        golden.keep(made, files.space)
    except OSError as error:
        raise LoadError(f"the golden vectors cannot be written: {error.strerror}") from error


def _line(figure: Figure) -> str:
    name = f"{figure.engine} {figure.precision}"
    if figure.error:
        return f"  {name}: {figure.error}"
    numbers = f"{figure.short_ms:.1f} ms for a short text, {figure.texts_per_s:.0f} texts/s"
    return f"  {name}: {numbers}, cosine {figure.worst_cosine:.6f}{'' if figure.passed else ': too far off'}"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
