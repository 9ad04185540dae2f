"""What was measured on this machine: which engine and precision is the fastest that computes right vectors."""

from __future__ import annotations

import json
import os
import platform
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from embedder_daemon.engines import cache
from embedder_daemon.engines.base import EngineOptions
from embedder_daemon.engines.golden import MIN_COSINE
from embedder_daemon.model.space import EmbeddingSpace

FIX: Final = "python -I -m embedder_daemon.autotune"
UNMEASURED: Final = f"not measured on this machine, with this model, these settings and these versions: run {FIX}"
_PACKAGES: Final = ("openvino", "torch", "transformers", "tokenizers")  # not onnxruntime: to add it voids no result
_GRAPHICS: Final = tuple(map(Path, ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")))  # NVIDIA's, AMD's, and that of WSL


@dataclass(frozen=True, slots=True)
class Figure:
    """One candidate; where it could not be measured, `error` says why and the numbers are 0."""

    engine: str
    precision: str
    short_ms: float = 0.0
    """Median of one short text."""
    texts_per_s: float = 0.0
    worst_cosine: float = 0.0
    error: str = ""
    starved: bool = False
    """Whether it was given up while other programs had the processors."""

    @property
    def passed(self) -> bool:
        """Whether it may be chosen."""
        return not self.error and self.worst_cosine >= MIN_COSINE and self.short_ms > 0.0

    @property
    def speed(self) -> float:
        """What candidates are compared by: a short text's latency and the throughput weigh the same."""
        return self.texts_per_s / self.short_ms


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a measurement belongs to: where any of it differs, it does not count."""

    space_id: str
    device: str
    threads: int
    machine: str
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AutotuneResult:
    """What was measured, where, with what and when."""

    conditions: Conditions
    date: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """An engine and a precision, and the sentence that says why."""

    engine: str
    precision: str
    reason: str
    measured: bool


def choose(result: AutotuneResult | None, engine: str, precision: str, fallback: str) -> EngineChoice:
    """Return the fastest that fits what was set; each of `engine` and `precision` is a name or auto.

    Args:
        result: what was measured, or None.
        engine: the setting.
        precision: the setting.
        fallback: the engine where nothing was measured and none was set.
    """
    best = pick(result.figures, engine, precision) if result else None
    if result and best:
        reason = f"the fastest of those measured on {result.date}: {best.short_ms:.1f} ms, {best.texts_per_s:.0f}/s"
        return EngineChoice(best.engine, best.precision, reason, measured=True)
    chosen = fallback if engine == "auto" else engine
    format_ = "float32" if precision == "auto" else precision
    unfit = f"of what was measured on {result.date} nothing fits these settings: {FIX} measures again" if result else ""
    return EngineChoice(chosen, format_, unfit or UNMEASURED, measured=False)


def pick(figures: Sequence[Figure], engine: str, precision: str) -> Figure | None:
    """Return the fastest that passed and fits."""
    fitting = [
        figure
        for figure in figures
        if figure.passed and engine in {"auto", figure.engine} and precision in {"auto", figure.precision}
    ]
    return max(fitting, key=lambda figure: figure.speed, default=None)


def conditions(space: EmbeddingSpace, options: EngineOptions) -> Conditions:
    """Return what holds here and now, with 0 threads and the device auto as what they mean."""
    device = "cpu" if options.device == "auto" and not any(map(Path.exists, _GRAPHICS)) else options.device
    return Conditions(space.space_id, device, options.cpu_threads, machine(), versions())


def read(wanted: Conditions) -> AutotuneResult | None:
    """Return what was measured under these conditions; None when there is nothing that can be read."""
    try:
        result = parse(path(wanted).read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return result if result.conditions == wanted else None


def write(result: AutotuneResult) -> Path:
    """Put it into the cache folder; raises OSError."""
    file = path(result.conditions)
    cache.write(file, json.dumps(asdict(result), indent=1) + "\n")
    return file


def parse(text: str) -> AutotuneResult:
    """Read what `write` wrote; raises ValueError, KeyError or TypeError."""
    fields = json.loads(text)
    figures = tuple(Figure(**figure) for figure in fields.pop("figures"))
    return AutotuneResult(conditions=Conditions(**fields.pop("conditions")), figures=figures, **fields)


def folder() -> Path:
    """Return where all results lie."""
    return cache.folder() / "verdicts"  # the name that earlier versions gave it: what they measured still counts


def path(wanted: Conditions) -> Path:
    """Return where the result lies: one for each model, device and number of threads."""
    return folder() / f"{wanted.space_id}-{wanted.device}-{wanted.threads}.json"


def versions() -> dict[str, str]:
    """Return the versions of what engines are made of, of those that are installed."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def machine() -> str:
    """Name the processor, with what it can do: bfloat16 is fast on one and emulated on the next."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    facts = dict(line.split(":", 1) for line in text.partition("\n\n")[0].splitlines() if ":" in line)
    fields = {key.strip(): value.strip() for key, value in facts.items()}
    name = fields.get("model name") or platform.processor() or "unknown"
    abilities = fields.get("flags") or fields.get("Features") or ""
    return f"{platform.machine()} {name} {os.cpu_count()} cores {zlib.crc32(abilities.encode()):08x}"
