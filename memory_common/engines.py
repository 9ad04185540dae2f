"""Our engines, by name: what `auto` measures, what settings accept, and what `daemon install --engine` installs.

Whoever adds an engine adds its entry here and its module to `embedder_daemon/engines`. Packages add theirs as entry
points, see `memory_common.plugins`; `auto` never chooses those.
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
    """In `embedder_daemon.engines`; it is imported only when the engine is chosen."""
    package: str = ""
    """The library that computes, as it is imported; empty where none does, and no model either: for tests."""
    pin: str = ""
    """How pip names that library."""
    precisions: tuple[str, ...] = ()
    """What `auto` measures on a processor."""
    gpu_precisions: tuple[str, ...] = ()
    """What `auto` measures as well where there may be a GPU."""
    extras: tuple[str, ...] = ()
    """What `daemon install` adds to the environment where the engine is asked for, as pip names it."""


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
"""Where nothing was measured, `auto` is the first whose package is there."""

MODEL_ENGINES: Final = tuple(name for name, entry in ENGINES.items() if entry.package)
"""The engines that compute a model's vectors: what `auto` may be."""
NAMES: Final = (AUTO, *ENGINES)
"""What settings accept beside the names that packages add."""


def candidates(*, gpu: bool) -> list[tuple[str, str]]:
    """Return the engines and precisions that `auto` measures, on the processor and, after that, on the GPU."""
    on_cpu = [(name, precision) for name, entry in ENGINES.items() for precision in entry.precisions]
    on_gpu = [(name, precision) for name, entry in ENGINES.items() for precision in entry.gpu_precisions]
    return on_cpu + on_gpu if gpu else on_cpu
