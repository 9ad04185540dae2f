"""The measurements of autotune: the fastest engine and precision on this machine with correct vectors."""

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
_PACKAGES: Final = (
    "openvino",
    "torch",
    "transformers",
    "tokenizers",
)  # not onnxruntime: adding it does not invalidate a result
_GRAPHICS: Final = tuple(map(Path, ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")))  # NVIDIA's, AMD's and WSL's


@dataclass(frozen=True, slots=True)
class Figure:
    """One candidate; if it could not be measured, `error` says why and the numbers are 0."""

    engine: str
    precision: str
    short_ms: float = 0.0
    """Median time of one short text, in milliseconds."""
    texts_per_s: float = 0.0
    worst_cosine: float = 0.0
    error: str = ""
    starved: bool = False
    """Whether the measurement was abandoned because other programs used the processors."""

    @property
    def passed(self) -> bool:
        """Whether it may be chosen."""
        return not self.error and self.worst_cosine >= MIN_COSINE and self.short_ms > 0.0

    @property
    def speed(self) -> float:
        """The score for comparing candidates: the latency of a short text and the throughput weigh the same."""
        return self.texts_per_s / self.short_ms


@dataclass(frozen=True, slots=True)
class Conditions:
    """The conditions of a measurement; it is invalid if any of them changes."""

    space_id: str
    device: str
    threads: int
    machine: str
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AutotuneResult:
    """The measurements with their conditions and date."""

    conditions: Conditions
    date: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """An engine and a precision, and the reason in one sentence."""

    engine: str
    precision: str
    reason: str
    measured: bool


def choose(result: AutotuneResult | None, engine: str, precision: str, fallback: str) -> EngineChoice:
    """Return the fastest candidate that fits the settings; `engine` and `precision` are each a name or auto.

    Args:
        result: the measurements, or None.
        engine: the setting.
        precision: the setting.
        fallback: the engine if nothing was measured and none was set.
    """
    best = pick(result.figures, engine, precision) if result else None
    if result and best:
        reason = f"the fastest of those measured on {result.date}: {best.short_ms:.1f} ms, {best.texts_per_s:.0f}/s"
        return EngineChoice(best.engine, best.precision, reason, measured=True)
    chosen = fallback if engine == "auto" else engine
    format_ = "float32" if precision == "auto" else precision
    unfit = f"nothing measured on {result.date} fits these settings: {FIX} measures again" if result else ""
    return EngineChoice(chosen, format_, unfit or UNMEASURED, measured=False)


def pick(figures: Sequence[Figure], engine: str, precision: str) -> Figure | None:
    """Return the fastest one that passed and fits the settings."""
    fitting = [
        figure
        for figure in figures
        if figure.passed and engine in {"auto", figure.engine} and precision in {"auto", figure.precision}
    ]
    return max(fitting, key=lambda figure: figure.speed, default=None)


def conditions(space: EmbeddingSpace, options: EngineOptions) -> Conditions:
    """Return the present conditions, with threads 0 and device auto resolved."""
    device = "cpu" if options.device == "auto" and not any(map(Path.exists, _GRAPHICS)) else options.device
    return Conditions(space.space_id, device, options.cpu_threads, machine(), versions())


def read(wanted: Conditions) -> AutotuneResult | None:
    """Return the measurements under these conditions; None if there are none or they are unreadable."""
    try:
        result = parse(path(wanted).read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return result if result.conditions == wanted else None


def write(result: AutotuneResult) -> Path:
    """Write it to the cache folder; raises OSError."""
    file = path(result.conditions)
    cache.write(file, json.dumps(asdict(result), indent=1) + "\n")
    return file


def parse(text: str) -> AutotuneResult:
    """Parse the output of `write`; raises ValueError, KeyError or TypeError."""
    fields = json.loads(text)
    figures = tuple(Figure(**figure) for figure in fields.pop("figures"))
    return AutotuneResult(conditions=Conditions(**fields.pop("conditions")), figures=figures, **fields)


def folder() -> Path:
    """Return the folder of all results."""
    return cache.folder() / "verdicts"  # named as in earlier versions, whose measurements are still valid


def path(wanted: Conditions) -> Path:
    """Return the path of the result: one per model, device and number of threads."""
    return folder() / f"{wanted.space_id}-{wanted.device}-{wanted.threads}.json"


def versions() -> dict[str, str]:
    """Return the versions of the installed packages that engines consist of."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def machine() -> str:
    """Name the processor and its features: bfloat16 is fast on some and emulated on others."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    facts = dict(line.split(":", 1) for line in text.partition("\n\n")[0].splitlines() if ":" in line)
    fields = {key.strip(): value.strip() for key, value in facts.items()}
    name = fields.get("model name") or platform.processor() or "unknown"
    abilities = fields.get("flags") or fields.get("Features") or ""
    return f"{platform.machine()} {name} {os.cpu_count()} cores {zlib.crc32(abilities.encode()):08x}"
