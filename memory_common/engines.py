"""Our engines by name: what `auto` measures, what settings accept, and what `daemon install --engine` installs.

To add an engine, add its entry here and its module in `embedder_daemon/engines`. Packages add theirs as entry points,
see `memory_common.plugins`; `auto` never chooses those.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from memory_common import pins

AUTO: Final = "auto"


@dataclass(frozen=True, slots=True)
class EngineEntry:
    """One of our engines."""

    module: str
    """In `embedder_daemon.engines`; imported only if the engine is chosen."""
    package: str = ""
    """The import name of its library; empty for an engine without library and model, for tests."""
    pin: str = ""
    """pip's requirement for that library."""
    precisions: tuple[str, ...] = ()
    """The precisions that `auto` measures on the CPU."""
    gpu_precisions: tuple[str, ...] = ()
    """The precisions that `auto` also measures if there may be a GPU."""
    extras: tuple[str, ...] = ()
    """The requirements that `daemon install` adds for this engine."""


ENGINES: Final[Mapping[str, EngineEntry]] = {
    "torch": EngineEntry(
        module="torch_engine",
        package="torch",
        pin=f"torch=={pins.TORCH}",
        precisions=("float32", "bfloat16"),
        gpu_precisions=("float16",),
    ),
    "openvino": EngineEntry(
        module="openvino_engine",
        package="openvino",
        pin=pins.OPENVINO,
        precisions=("bfloat16", "float32"),
    ),
    "onnx": EngineEntry(
        module="onnx_engine",
        package="onnxruntime",
        pin=pins.ONNXRUNTIME,
        precisions=("float32",),
        extras=(pins.ONNXRUNTIME, pins.ONNX),
    ),
    "hash": EngineEntry(module="hash_engine"),
}
"""Without a measurement, `auto` is the first one whose package is installed."""

MODEL_ENGINES: Final = tuple(name for name, entry in ENGINES.items() if entry.package)
"""The engines that run a model, which `auto` chooses from."""
NAMES: Final = (AUTO, *ENGINES)
"""The names that settings accept, besides those of packages."""


def candidates(*, gpu: bool) -> list[tuple[str, str]]:
    """Return the engines and precisions that `auto` measures, on the CPU and then on the GPU."""
    on_cpu = [(name, precision) for name, entry in ENGINES.items() for precision in entry.precisions]
    on_gpu = [(name, precision) for name, entry in ENGINES.items() for precision in entry.gpu_precisions]
    return on_cpu + on_gpu if gpu else on_cpu
