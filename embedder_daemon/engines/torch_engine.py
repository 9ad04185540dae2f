"""Sentence-transformers models on torch: tokenizers directly, one padded forward pass for each batch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

import tokenizers
import torch
import transformers
from transformers.utils import logging as transformers_logging

from embedder_daemon.engines.base import Encoded, EngineFacts, EngineOptions, Task
from embedder_daemon.errors import LoadError, ModelMissingError
from embedder_daemon.space import ModelFiles

_DTYPES: Final = {"float32": torch.float32, "bfloat16": torch.bfloat16}
_TOLERANCES: Final = {"float32": 1e-6, "bfloat16": 2e-2}
_BATCH_TOKENS: Final = {"cpu": 1024, "mps": 4096, "cuda": 16_384}  # measured on CPU: flat from 512 on
_WARM_UP: Final = "The first forward pass takes longer than the others."


def create(options: EngineOptions, files: ModelFiles | None) -> TorchEngine:
    """Load the model of `files`.

    Raises:
        LoadError: the device is not there, or torch cannot read the model.
    """
    if files is None:
        raise ModelMissingError("the engine torch needs a model: mend EMBEDDER_MODEL")
    try:
        return TorchEngine(options, files)
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:300]
        raise LoadError(f"torch could not load the model {files.folder}: {reason}") from error


class TorchEngine:
    """One model on one device."""

    def __init__(self, options: EngineOptions, files: ModelFiles) -> None:
        device, precision = _device(options.device), _precision(options.precision)
        torch.set_num_threads(options.threads or os.cpu_count() or 1)
        self._device = torch.device(device)
        self._space = files.space
        self._pad_id = files.pad_token_id
        self._tokenizer = _tokenizer(files)
        self._special = self._tokenizer.num_special_tokens_to_add(is_pair=False)
        self._model = _model(files)
        self._model.to(device=self._device, dtype=_DTYPES[precision])
        self.facts = EngineFacts(
            name="torch",
            space=files.space,
            max_tokens=files.space.max_tokens,
            device=device,
            precision=precision,
            batch_tolerance=_TOLERANCES[precision],
            batch_tokens=_BATCH_TOKENS[device],
            versions={library.__name__: str(library.__version__) for library in (torch, transformers, tokenizers)},
        )
        self.forward(self.encode([_WARM_UP], Task.DOCUMENT))

    def encode(self, texts: Sequence[str], task: Task) -> list[Encoded]:
        """Tokenise; the tokenizer is Rust, and lets other threads run meanwhile."""
        prompt = self._space.query_prompt if task is Task.QUERY else self._space.document_prompt
        inputs = [prompt + text for text in texts] if prompt else list(texts)
        encodings = self._tokenizer.encode_batch(inputs, add_special_tokens=False)
        return [self._encoded(encoding, text, prompt) for encoding, text in zip(encodings, texts, strict=True)]

    def _encoded(self, encoding: tokenizers.Encoding, text: str, prompt: str) -> Encoded:
        """Cut before the special tokens are added; touches the tokens that are kept, and no others."""
        tokens, room = len(encoding), self._space.max_tokens - self._special
        consumed = len(text)
        if truncated := tokens > room:
            span = encoding.token_to_chars(room - 1)
            consumed = max(0, span[1] - len(prompt)) if span else 0
            encoding.truncate(room)
        return Encoded(
            ids=tuple(self._tokenizer.post_process(encoding).ids),
            token_count=tokens + self._special,
            truncated=truncated,
            consumed_chars=consumed,
        )

    def forward(self, batch: Sequence[Encoded]) -> list[bytes]:
        """Pad to the longest row, run, pool, normalise."""
        longest = max(len(encoded.ids) for encoded in batch)
        ids = torch.tensor(
            [[*encoded.ids, *[self._pad_id] * (longest - len(encoded.ids))] for encoded in batch], device=self._device
        )
        lengths = torch.tensor([[len(encoded.ids)] for encoded in batch], device=self._device)
        mask = (torch.arange(longest, device=self._device) < lengths).long()
        with torch.inference_mode():
            hidden = self._model(input_ids=ids, attention_mask=mask).last_hidden_state.float()
            vectors = torch.nn.functional.normalize(self._pool(hidden, mask), dim=1)
        rows = vectors.cpu().numpy().astype("<f4")
        return [row.tobytes() for row in rows]

    def _pool(self, hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """From (rows, tokens, dimensions) to (rows, dimensions)."""
        if self._space.pooling == "cls":
            return hidden[:, 0]
        weights = mask.unsqueeze(-1).to(hidden.dtype)
        return (hidden * weights).sum(dim=1) / weights.sum(dim=1)

    def close(self) -> None:
        """Drop the weights."""
        del self._model, self._tokenizer
        if self._device.type == "cuda":
            torch.cuda.empty_cache()


def _tokenizer(files: ModelFiles) -> tokenizers.Tokenizer:
    """Read the tokenizer without the truncation and padding that its file may ask for."""
    try:
        tokenizer = tokenizers.Tokenizer.from_file(str(files.folder / "tokenizer.json"))
    except Exception as error:
        raise LoadError(f"{files.folder / 'tokenizer.json'} is no tokenizer: install the model again") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _model(files: ModelFiles) -> torch.nn.Module:
    """Read the weights from the folder; the hub is never asked."""
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # has no types
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # has no types
    model: torch.nn.Module = transformers.AutoModel.from_pretrained(
        str(files.folder), local_files_only=True, trust_remote_code=False, use_safetensors=True, dtype=torch.float32
    )
    return model.eval()


def _device(wanted: str) -> str:
    """Return the device; auto takes no mps, because some versions of it compute wrong vectors."""
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        return "cuda" if there["cuda"] else "cpu"
    if not there[wanted]:
        raise LoadError(f"there is no device {wanted} on this machine: set EMBEDDER_DEVICE=auto")
    return wanted


def _precision(wanted: str) -> str:
    return "float32" if wanted == "auto" else wanted
