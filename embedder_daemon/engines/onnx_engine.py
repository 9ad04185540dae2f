"""Sentence-transformers models on onnxruntime: float32 on the CPU, for interpreters without torch or openvino."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import onnxruntime  # type: ignore[import-untyped]  # has no types
import tokenizers
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as raised  # type: ignore[import-untyped]  # has no types

from embedder_daemon.engines import converted, out_of_memory, padding
from embedder_daemon.engines.base import EmbedTask, Encoded, EngineFacts, EngineOptions
from embedder_daemon.engines.tokens import Tokeniser
from embedder_daemon.errors import LoadError, ModelMissingError
from embedder_daemon.model.space import ModelFiles

_POOLINGS: Final = {"mean", "cls"}
_TOLERANCE: Final = 1e-6  # measured: 0.0 on one processor; others may add in another order
_BATCH_TOKENS: Final = 1024  # not measured: as for the other engines on the CPU
_KNOWN: Final = {*converted.INPUTS, "token_type_ids"}
_FATAL: Final = 4  # log fatal errors only: all others are also raised
_FAILURES: Final[tuple[type[Exception], ...]] = tuple(
    kind for kind in vars(raised).values() if isinstance(kind, type) and issubclass(kind, Exception)
)
"""onnxruntime's exceptions, which have no common base class."""
_UNREADABLE: Final[tuple[type[Exception], ...]] = (*_FAILURES, OSError, RuntimeError, ValueError)
_WARM_UP: Final = "The first forward pass takes longer than the others."

Rows = NDArray[np.float32]


class _Node(Protocol):
    """An input or an output of a graph."""

    name: str
    shape: list[int | str]


class _Session(Protocol):
    """The part of onnxruntime's session that is used here."""

    def get_inputs(self) -> list[_Node]: ...
    def get_outputs(self) -> list[_Node]: ...
    def run(self, outputs: list[str], feed: dict[str, padding.Matrix]) -> list[Rows]: ...


def create(options: EngineOptions, files: ModelFiles | None) -> OnnxEngine:
    """Load the model of `files`: its own ONNX file, or a conversion, which is made unless it is cached.

    Raises:
        EngineMissingError: there is neither an ONNX file nor torch to make one.
        LoadError: the device is not the CPU, the precision is not float32, or onnxruntime cannot read the model.
    """
    if files is None:
        raise ModelMissingError("the engine onnx needs a model: fix EMBEDDER_MODEL")
    if options.device not in {"auto", "cpu"}:
        raise LoadError(f"the engine onnx runs on cpu, not on {options.device}: set EMBEDDER_DEVICE=auto")
    if files.space.dense or files.space.pooling not in _POOLINGS:
        raise LoadError(
            f"the engine onnx supports pooling by {' or '.join(sorted(_POOLINGS))} without dense layers, but the model "
            f"{files.space.model} needs {files.space.pooling} {files.space.dense}: set EMBEDDER_ENGINE=auto"
        )
    if options.precision not in {"auto", "float32"}:
        raise LoadError(f"the engine onnx computes float32, not {options.precision}: set EMBEDDER_PRECISION=auto")
    try:
        return OnnxEngine(options, files)
    except _UNREADABLE as error:
        reason = " ".join(str(error).split())[:300]
        raise LoadError(f"onnxruntime could not load the model {files.folder}: {reason}") from error


class OnnxGraph:
    """A loaded ONNX file with the pooling after it."""

    def __init__(self, file: Path, threads: int, files: ModelFiles) -> None:
        self._pad_id = files.pad_token_id
        self._space = files.space
        self._session = _session(file, threads)
        self._inputs = tuple(item.name for item in self._session.get_inputs())
        self._output = _output(self._inputs, self._session.get_outputs())

    def forward(self, batch: Sequence[Encoded]) -> list[bytes]:
        """Pad to the longest row, run, pool and normalise; returns a row of float32 little-endian for each text.

        Raises:
            MemoryError: the batch does not fit.
            Exception: whatever else onnxruntime raises; its exceptions have no common base class.
        """
        with out_of_memory.guarded(*_FAILURES):
            ids, mask = padding.pad(batch, self._pad_id, padding.exact(batch))
            given = dict(zip(converted.INPUTS, (ids, mask), strict=True))
            feed = {name: given[name] if name in given else np.zeros_like(ids) for name in self._inputs}
            (hidden,) = self._session.run([self._output], feed)
            vectors = pool(hidden, mask, self._space.pooling, self._space.dimensions)
        return [row.tobytes() for row in vectors]


class OnnxEngine:
    """One model on the CPU."""

    def __init__(self, options: EngineOptions, files: ModelFiles) -> None:
        self._tokeniser = Tokeniser(files)
        self._graph = OnnxGraph(converted.graph(files, converted.ONNX), options.cpu_threads, files)
        self.facts = EngineFacts(
            name="onnx",
            space=files.space,
            max_tokens=files.space.max_tokens,
            device="cpu",
            precision="float32",
            batch_tolerance=_TOLERANCE,
            batch_tokens=_BATCH_TOKENS,
            versions={library.__name__: str(library.__version__) for library in (onnxruntime, tokenizers)},
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


def pool(hidden: Rows, mask: padding.Matrix, pooling: str, dimensions: int) -> Rows:
    """From (rows, tokens, all dimensions) to normalised little-endian (rows, dimensions)."""
    if pooling == "cls":
        vectors = hidden[:, 0]
    else:
        weights = mask.astype(np.float32)
        seen = np.where(weights[:, :, None] == 0, np.float32(0), hidden)  # multiplying by 0 would keep a NaN in padding
        vectors = np.einsum("rtd,rt->rd", seen, weights) / weights.sum(axis=1, keepdims=True)
    vectors = vectors[:, :dimensions]
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    normalised: Rows = (vectors / lengths).astype("<f4", copy=False)
    return normalised


def _session(graph: Path, threads: int) -> _Session:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # would remember every shape, and there are many
    options.log_severity_level = _FATAL
    session: _Session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    return session


def _output(inputs: Sequence[str], outputs: Sequence[_Node]) -> str:
    """Return the name of the token vectors, the only output with three dimensions; raises LoadError."""
    if strange := set(inputs) - _KNOWN:
        raise LoadError(
            f"the model's onnx/model.onnx needs inputs that no engine here supports: {', '.join(sorted(strange))}"
        )
    for output in outputs:
        if len(output.shape) == 3:
            return output.name
    raise LoadError(
        "the model's onnx/model.onnx has no output of token vectors: delete it, so that the model is converted"
    )
