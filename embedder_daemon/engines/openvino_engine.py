"""Sentence-transformers models on openvino: converted once, then run without torch in the process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import tokenizers

from embedder_daemon.engines import converted, out_of_memory, padding
from embedder_daemon.engines.base import EmbedTask, Encoded, EngineFacts, EngineOptions
from embedder_daemon.engines.openvino_runtime import openvino
from embedder_daemon.engines.tokens import Tokeniser
from embedder_daemon.errors import LoadError, ModelMissingError
from embedder_daemon.model.space import ModelFiles

_HINTS: Final = {"float32": "f32", "bfloat16": "bf16"}
_TOLERANCES: Final = {"float32": 1e-6, "bfloat16": 2e-3}  # measured: 2e-7 and 7e-4
_BATCH_TOKENS: Final = 1024  # measured: flat from 256 on
_STEP: Final = 8
"""Widths are multiples of this: a new shape costs 3 ms, and odd widths compute more slowly."""
_WARM_UP: Final = "The first forward pass takes longer than the others."


def create(options: EngineOptions, files: ModelFiles | None) -> OpenvinoEngine:
    """Load the model of `files`; converts it first unless a conversion is cached.

    Raises:
        LoadError: the device is not the CPU, the precision is float16, or openvino cannot convert or read the model.
    """
    if files is None:
        raise ModelMissingError("the engine openvino needs a model: fix EMBEDDER_MODEL")
    if options.device not in {"auto", "cpu"}:
        raise LoadError(f"the engine openvino runs on cpu, not on {options.device}: set EMBEDDER_DEVICE=auto")
    if options.precision not in {"auto", *_HINTS}:
        raise LoadError(
            f"the engine openvino computes float32 or bfloat16, not {options.precision}: set EMBEDDER_PRECISION=auto"
        )
    try:
        return OpenvinoEngine(options, files)
    except (OSError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise LoadError(f"openvino could not load the model {files.folder}: {reason}") from error


def computes_bfloat16() -> bool:
    """Whether this processor has native bfloat16; emulated, it takes a hundred times as long."""
    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


class OpenvinoGraph:
    """A converted model, compiled for this CPU."""

    def __init__(self, file: Path, precision: str, threads: int, pad_id: int) -> None:
        config = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": threads,
            "ENABLE_CPU_PINNING": False,  # leave a core for the event loop
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
        }
        self._pad_id = pad_id
        self._request = openvino.Core().compile_model(file, "CPU", config).create_infer_request()

    def forward(self, batch: Sequence[Encoded]) -> list[bytes]:
        """Pad to the longest row or a little more, and run; returns a row of float32 little-endian for each text.

        Raises:
            MemoryError: the batch does not fit.
            RuntimeError: whatever else openvino raises.
        """
        rows, tokens = padding.exact(batch)
        matrices = padding.pad(batch, self._pad_id, padding.PaddedShape(rows, -(-tokens // _STEP) * _STEP))
        with out_of_memory.guarded(RuntimeError):
            self._request.infer(dict(zip(converted.INPUTS, matrices, strict=True)), share_inputs=True)
        vectors = self._request.get_output_tensor(0).data.astype("<f4", copy=False)
        return [row.tobytes() for row in vectors]


class OpenvinoEngine:
    """One model on the CPU."""

    def __init__(self, options: EngineOptions, files: ModelFiles) -> None:
        precision = "float32" if options.precision == "auto" else options.precision
        self._tokeniser = Tokeniser(files)
        file = converted.graph(files, converted.FORMATS["openvino", precision])
        self._graph = OpenvinoGraph(file, precision, options.cpu_threads, files.pad_token_id)
        self.facts = EngineFacts(
            name="openvino",
            space=files.space,
            max_tokens=files.space.max_tokens,
            device="cpu",
            precision=precision,
            batch_tolerance=_TOLERANCES[precision],
            batch_tokens=_BATCH_TOKENS,
            versions={"openvino": openvino.__version__, "tokenizers": tokenizers.__version__},
            choice=options.choice,
        )
        self.forward(self.encode([_WARM_UP], EmbedTask.DOCUMENT))

    def encode(self, texts: Sequence[str], task: EmbedTask) -> list[Encoded]:
        """Tokenise; releases the GIL."""
        return self._tokeniser.encode(texts, task)

    def forward(self, batch: Sequence[Encoded]) -> list[bytes]:
        """Run the graph; raises as it does."""
        return self._graph.forward(batch)

    def close(self) -> None:
        """Drop the weights."""
        del self._graph, self._tokeniser
