"""The model as a torch module with pooling and normalisation; torch runs it, and other engines convert it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, cast

import torch
import transformers
from safetensors.torch import load_file
from transformers.masking_utils import sdpa_mask
from transformers.utils import logging as transformers_logging

from embedder_daemon.model.folder import WEIGHTS
from embedder_daemon.model.space import ModelFiles


class Dense(torch.nn.Module):
    """One layer after the pooling; computes in float32, whatever the precision of its weights."""

    def __init__(self, folder: Path, activation: str) -> None:
        super().__init__()
        weights = load_file(folder / WEIGHTS)
        self.weight = torch.nn.Parameter(weights["linear.weight"])
        self.bias = torch.nn.Parameter(weights["linear.bias"]) if "linear.bias" in weights else None
        self.activation = getattr(torch.nn, activation)()

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """From (rows, dimensions) to (rows, other dimensions)."""
        bias = None if self.bias is None else self.bias.float()
        activated: torch.Tensor = self.activation(torch.nn.functional.linear(rows, self.weight.float(), bias))
        return activated


class SentenceModel(torch.nn.Module):
    """From token ids and their mask, both (rows, tokens) int64, to normalised float32 (rows, dimensions).

    Rows are padded on the right, whatever the model's own tokenizer does; only tokens in the mask are pooled.
    """

    def __init__(self, transformer: torch.nn.Module, pooling: str, dense: torch.nn.Module, cut: int | None) -> None:
        super().__init__()
        self.transformer = transformer
        self.poolings = pooling.split("+")
        self.dense = dense
        self.cut = cut

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Run, pool, truncate, normalise; the steps after the transformer are float32 in any case."""
        hidden = self.transformer(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state.float()
        rows = self.dense(self._pool(hidden, attention_mask))
        return torch.nn.functional.normalize(rows if self.cut is None else rows[:, : self.cut], dim=1)

    def _pool(self, hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """From (rows, tokens, dimensions) to (rows, dimensions)."""
        pooled = [_POOLINGS[name](hidden, mask) for name in self.poolings]
        return pooled[0] if len(pooled) == 1 else torch.cat(pooled, dim=1)


def _first(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:  # noqa: ARG001 - like the others
    return hidden[:, 0]


def _last(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    place = (mask.sum(dim=1) - 1).view(-1, 1, 1).expand(-1, 1, hidden.shape[2])
    return hidden.gather(1, place).squeeze(1)


def _max(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return hidden.masked_fill(mask.unsqueeze(-1) == 0, float("-inf")).amax(dim=1)


def _mean(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    return _weighted_sum(hidden, weights) / weights.sum(dim=1)


def _mean_by_root(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    return _weighted_sum(hidden, weights) / weights.sum(dim=1).sqrt()


def _weighted_sum(hidden: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Sum over the tokens; fills padding with zeros, because multiplying by 0 would keep a NaN."""
    return (hidden.masked_fill(weights == 0, 0.0) * weights).sum(dim=1)


def _mean_by_place(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Weigh the first token once, the second twice, and so on."""
    return _mean(hidden, mask.cumsum(dim=1) * mask)


_POOLINGS: Final[dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]]] = {
    "cls": _first,
    "max": _max,
    "mean": _mean,
    "mean_sqrt_len_tokens": _mean_by_root,
    "weightedmean": _mean_by_place,
    "lasttoken": _last,
}

_SDPA_MASK: Final = cast("Callable[..., torch.Tensor | None]", sdpa_mask)  # its own types declare fewer arguments


def fill_masks() -> None:
    """Make every token attend to at least one token, in every model loaded in this process from now on.

    With local attention, a padding token may attend to padding only. Torch computes zeros for it; converted models
    compute NaN, which spreads to the tokens of the text in the next layer.
    """
    transformers.AttentionMaskInterface.register("sdpa", _filled_mask)


def _filled_mask(*arguments: object, local_size: int | None = None, **options: object) -> torch.Tensor | None:
    """Return transformers' attention mask; with local attention, a token that would see nothing sees everything."""
    mask = _SDPA_MASK(*arguments, local_size=local_size, **options)
    if mask is None or local_size is None:
        return mask
    return mask | ~mask.any(dim=-1, keepdim=True)


_UNUSED: Final = "pooler."
"""Prefix of the weights of BERT's own pooler, which no pooling here uses and most files omit."""


def load(files: ModelFiles) -> SentenceModel:
    """Read the weights from the folder as float32; never contacts the hub.

    Raises:
        OSError, RuntimeError, ValueError, KeyError: transformers cannot read the folder, or weights are missing.
    """
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # has no types
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # has no types
    space = files.space
    activations = space.dense.split("+") if space.dense else []
    layers = [Dense(folder, name).float() for folder, name in zip(files.dense, activations, strict=True)]
    cut = space.dimensions if space.dimensions < files.width else None
    return SentenceModel(_transformer(files.folder), space.pooling, torch.nn.Sequential(*layers), cut).eval()


def _transformer(folder: Path) -> torch.nn.Module:
    """Read the transformer; of an encoder-decoder model, the encoder (which may be saved alone)."""
    config = transformers.AutoConfig.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    encodes = config.is_encoder_decoder or type(config) in transformers.MODEL_FOR_TEXT_ENCODING_MAPPING
    kind = transformers.AutoModelForTextEncoding if encodes else transformers.AutoModel
    config.use_cache = False  # a decoder's cache for the next token, which never comes
    transformer: torch.nn.Module
    transformer, told = kind.from_pretrained(
        str(folder),
        config=config,
        local_files_only=True,
        trust_remote_code=False,
        use_safetensors=True,
        dtype=torch.float32,
        output_loading_info=True,
    )
    if missing := sorted(name for name in told["missing_keys"] if not name.startswith(_UNUSED)):
        # The library only warns, and fills them with random numbers.
        raise ValueError(f"the file has no weights for {', '.join(missing[:5])}, {len(missing)} in all")
    return transformer
