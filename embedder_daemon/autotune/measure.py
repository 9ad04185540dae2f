"""The parts of autotune that run in a separate process: measuring one engine, or computing golden vectors."""

from __future__ import annotations

import json
import statistics
import sys
import time
from dataclasses import asdict
from typing import Final

from embedder_daemon.engines import factory, golden
from embedder_daemon.engines.autotune_result import Figure
from embedder_daemon.engines.base import EmbedTask, Engine, EngineOptions
from embedder_daemon.errors import LoadError
from embedder_daemon.model import discovery
from embedder_daemon.settings import DaemonSettings

TOO_SLOW_MS: Final = 250.0
"""Milliseconds of a short text that end the measurement: bfloat16 is emulated on processors without it."""
_SHORT_TEXT: Final = "Where does Marta keep the spare key of the boat house?"
_PASSES: Final = 30
_ROUNDS: Final = 3


def measure(chosen: DaemonSettings) -> None:
    """Print the figure of one engine as JSON."""
    engine = _engine(chosen)
    short_ms = _short_ms(engine, passes=3)
    if short_ms > TOO_SLOW_MS:
        slow = f"{short_ms:.0f} ms for one short text; not measured further"
        say(json.dumps(asdict(Figure(chosen.engine, chosen.precision, error=slow))))
        return
    known = golden.find(engine.facts.space)
    if known is None:
        raise LoadError("there are no golden vectors to compare with")
    worst = golden.measure(engine, known)  # before the timing, as a warm-up
    figure = Figure(chosen.engine, chosen.precision, _short_ms(engine, _PASSES), _texts_per_s(engine, known), worst)
    say(json.dumps(asdict(figure)))


def _short_ms(engine: Engine, passes: int) -> float:
    seconds = []
    for _ in range(passes):
        started = time.perf_counter()
        engine.forward(engine.encode([_SHORT_TEXT], EmbedTask.QUERY))
        seconds.append(time.perf_counter() - started)
    return 1000.0 * statistics.median(seconds)


def _texts_per_s(engine: Engine, known: golden.GoldenVectors) -> float:
    """Return the best of several rounds, because other programs can only slow a round down."""
    rates = []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        for batch in golden.batches(engine.encode(known.texts, EmbedTask.DOCUMENT)):
            engine.forward(batch)
        rates.append(len(known.texts) / (time.perf_counter() - started))
    return max(rates)


def make_golden(chosen: DaemonSettings) -> None:
    """Compute golden vectors with torch as float32 on the CPU, and write them to the cache folder."""
    options = EngineOptions(device="cpu", precision="float32", threads=chosen.threads)
    files = discovery.configured(chosen)
    made = golden.make(factory.create("torch", options, files), golden.texts())
    try:
        golden.keep(made, files.space)
    except OSError as error:
        raise LoadError(f"the golden vectors cannot be written: {error.strerror}") from error


def _engine(chosen: DaemonSettings) -> Engine:
    return factory.create(chosen.engine, options_of(chosen), discovery.configured(chosen))


def options_of(chosen: DaemonSettings) -> EngineOptions:
    """Return the engine's options in the settings."""
    return EngineOptions(device=chosen.device, precision=chosen.precision, threads=chosen.threads)


def say(line: str) -> None:
    """Print a line without buffering, because somebody watches."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
