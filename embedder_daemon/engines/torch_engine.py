"""Sentence-transformers models on torch, with one padded forward pass per batch."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from functools import partial
from typing import Final

import tokenizers
import torch
import transformers

from embedder_daemon.engines import out_of_memory, padding, torch_model, torch_packed
from embedder_daemon.engines.base import EmbedTask, Encoded, EngineFacts, EngineOptions
from embedder_daemon.engines.tokens import Tokeniser
from embedder_daemon.errors import LoadError, ModelMissingError
from embedder_daemon.model.space import ModelFiles

_DTYPES: Final = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_TOLERANCES: Final = {"float32": 1e-6, "bfloat16": 4e-3, "float16": 4e-3}  # measured: 3e-7, 1.5e-3; float16 not
_GPU_FLOAT32_TOLERANCE: Final = 1e-5  # not measured; its libraries choose other kernels for other shapes
_BATCH_TOKENS: Final = {"cpu": 1024, "mps": 4096, "cuda": 16_384}  # measured on CPU: flat from 512 on
_MPS_UNUSED_BYTES: Final = 1 << 30  # not measured: no Mac has run this yet
_WARM_UP: Final = "The first forward pass takes longer than the others."


def create(options: EngineOptions, files: ModelFiles | None) -> TorchEngine:
    """Load the model of `files`.

    Raises:
        LoadError: the device is missing or lacks the precision, or torch cannot read the model.
    """
    if files is None:
        raise ModelMissingError("the engine torch needs a model: fix EMBEDDER_MODEL")
    try:
        return TorchEngine(options, files)
    except (OSError, RuntimeError, ValueError, KeyError, MemoryError) as error:
        reason = " ".join(str(error).split())[:300]
        raise LoadError(f"torch could not load the model {files.folder}: {reason}") from error


class TorchEngine:
    """One model on one device."""

    def __init__(self, options: EngineOptions, files: ModelFiles) -> None:
        device = _device(options.device)
        precision = _precision(options.precision, device)
        torch.set_num_threads(options.cpu_threads)
        if device == "cuda":
            _compute_exactly()
        self._device = torch.device(device)
        self._pad_id = files.pad_token_id
        self._shape = padding.exact if device != "mps" else partial(padding.bucketed, max_tokens=files.space.max_tokens)
        self._tokeniser = Tokeniser(files)
        self._model = torch_model.load(files)
        self._model.to(device=self._device, dtype=_DTYPES[precision])
        if device == "cpu":
            torch_packed.pack(self._model.transformer)
        self.facts = EngineFacts(
            name="torch",
            space=files.space,
            max_tokens=files.space.max_tokens,
            device=device,
            precision=precision,
            batch_tolerance=_tolerance(device, precision),
            batch_tokens=_BATCH_TOKENS[device],
            versions={library.__name__: str(library.__version__) for library in (torch, transformers, tokenizers)},
            choice=options.choice,
        )
        self.forward(self.encode([_WARM_UP], EmbedTask.DOCUMENT))

    def encode(self, texts: Sequence[str], task: EmbedTask) -> list[Encoded]:
        """Tokenise; releases the GIL."""
        return self._tokeniser.encode(texts, task)

    def forward(self, batch: Sequence[Encoded]) -> list[bytes]:
        """Pad and run; on MPS to one of few shapes, because MPS keeps memory for every shape that it has seen."""
        with out_of_memory.guarded(RuntimeError):  # includes torch.OutOfMemoryError
            matrices = padding.pad(batch, self._pad_id, self._shape(batch))
            ids, mask = (torch.from_numpy(matrix).to(self._device) for matrix in matrices)
            with torch.inference_mode():
                vectors = self._model(ids, mask)
            rows = vectors.cpu().numpy().astype("<f4", copy=False)
        self._tidy()
        return [row.tobytes() for row in rows[: len(batch)]]

    def close(self) -> None:
        """Drop the weights."""
        del self._model, self._tokeniser
        gc.collect()  # a model's modules may refer to each other; what is not free yet stays on the device
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        if self._device.type == "mps":
            torch.mps.empty_cache()

    def _tidy(self) -> None:
        """Release unused memory of MPS if it is a lot."""
        if self._device.type != "mps":
            return
        if torch.mps.driver_allocated_memory() - torch.mps.current_allocated_memory() > _MPS_UNUSED_BYTES:
            torch.mps.empty_cache()


def _device(wanted: str) -> str:
    """Return the device; auto never chooses mps, because some versions of it compute wrong vectors."""
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        return "cuda" if there["cuda"] else "cpu"
    if not there[wanted]:
        raise LoadError(f"this machine has no device {wanted}: set EMBEDDER_DEVICE=auto")
    return wanted


def _compute_exactly() -> None:
    """Compute float32 as float32 and sum up halves in float32, whatever this machine's environment says.

    TF32, which `TORCH_ALLOW_TF32_CUBLAS_OVERRIDE` in NVIDIA's images turns on, multiplies ten bits; with sums in half
    precision a vector depends more on the shape of its batch.
    """
    torch.set_float32_matmul_precision("highest")
    torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False


def _tolerance(device: str, precision: str) -> float:
    return _GPU_FLOAT32_TOLERANCE if (device, precision) == ("cuda", "float32") else _TOLERANCES[precision]


def _precision(wanted: str, device: str) -> str:
    if wanted == "float16" and device == "cpu":
        raise LoadError("torch computes float16 on cuda and mps, not on cpu: set EMBEDDER_PRECISION=auto")
    return "float32" if wanted == "auto" else wanted
