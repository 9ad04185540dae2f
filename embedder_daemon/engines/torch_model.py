"""The model as a torch module, pooling and normalisation included: what torch runs and openvino converts."""

from __future__ import annotations

from pathlib import Path

import torch
import transformers
from transformers.utils import logging as transformers_logging


class SentenceModel(torch.nn.Module):
    """From token ids and their mask, both (rows, tokens) int64, to normalised float32 (rows, dimensions)."""

    def __init__(self, transformer: torch.nn.Module, pooling: str) -> None:
        super().__init__()
        self.transformer = transformer
        self.pooling = pooling

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Run, pool, normalise; whatever the precision of the weights, what follows them is float32."""
        hidden = self.transformer(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state.float()
        return torch.nn.functional.normalize(self._pool(hidden, attention_mask), dim=1)

    def _pool(self, hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """From (rows, tokens, dimensions) to (rows, dimensions)."""
        if self.pooling == "cls":
            return hidden[:, 0]
        weights = mask.unsqueeze(-1).to(hidden.dtype)
        return (hidden * weights).sum(dim=1) / weights.sum(dim=1)


def load(folder: Path, pooling: str) -> SentenceModel:
    """Read the weights from the folder, as float32; the hub is never asked.

    Raises:
        OSError, RuntimeError, ValueError, KeyError: the folder holds no model that transformers can read.
    """
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # has no types
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # has no types
    transformer: torch.nn.Module = transformers.AutoModel.from_pretrained(
        str(folder), local_files_only=True, trust_remote_code=False, use_safetensors=True, dtype=torch.float32
    )
    return SentenceModel(transformer, pooling).eval()
