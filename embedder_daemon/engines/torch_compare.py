"""Compares a conversion with its torch model before its digests are recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

import torch

from embedder_daemon.engines import golden, padding
from embedder_daemon.engines.base import EmbedTask, Encoded
from embedder_daemon.engines.tokens import Tokeniser
from embedder_daemon.engines.torch_model import SentenceModel
from embedder_daemon.errors import LoadError
from embedder_daemon.model.space import ModelFiles

LENGTHS: Final = (3, 9, 41, 133, 521, 1031)
"""Lengths of the compared texts in tokens, special ones included: below and above the windows of local attention (16 to
512), and not multiples of them. A model with a shorter window gets one text of that length."""
_REPEATED: Final = 4  # repetitions of the golden texts that exceed the longest length in any vocabulary

Forward = Callable[[Sequence[Encoded]], list[bytes]]


def check(forward: Forward, model: SentenceModel, files: ModelFiles) -> None:
    """Compare texts of several lengths, alone and batched with longer ones, with torch's vectors of them alone.

    Args:
        forward: the conversion, from a batch to a row of float32 little-endian for each text.
        model: the original, on the CPU as float32.
        files: the model's, for its tokenizer.

    Raises:
        LoadError: a cosine is below golden.MIN_COSINE.
    """
    texts = _texts(files)
    wanted = {len(text.ids): _by_torch(model, text) for text in texts}
    for batch in _batches(texts):
        for row, text in zip(forward(batch), batch, strict=True):
            if (cosine := golden.cosine(row, wanted[len(text.ids)])) < golden.MIN_COSINE:
                longest = max(len(other.ids) for other in batch)
                beside = f" beside one of {longest}" if len(batch) > 1 else ""
                raise LoadError(
                    f"it computes other vectors than torch: cosine {cosine:.6f} for a text of {len(text.ids)} "
                    f"tokens{beside}, but at least {golden.MIN_COSINE} is needed; set EMBEDDER_ENGINE=torch"
                )


def _batches(texts: Sequence[Encoded]) -> Iterator[list[Encoded]]:
    """Yield each text alone, each with the next longer one, and the shortest with the longest."""
    for text in texts:
        yield [text]
    for pair in pairwise(texts):
        yield list(pair)
    yield [texts[0], texts[-1]]


def _texts(files: ModelFiles) -> list[Encoded]:
    """Return a text of each length, shortest first; all begin with the same words."""
    words = " ".join(golden.texts() * _REPEATED)
    shorter = min(files.space.max_tokens, LENGTHS[-1])
    longest = replace(files.space, max_tokens=shorter, query_prompt="", document_prompt="")
    (whole,) = Tokeniser(replace(files, space=longest)).encode([words], EmbedTask.DOCUMENT)
    lengths = sorted({min(length, len(whole.ids)) for length in LENGTHS})
    return [replace(whole, ids=(*whole.ids[: length - 1], whole.ids[-1])) for length in lengths]


def _by_torch(model: SentenceModel, text: Encoded) -> list[float]:
    ids, mask = (torch.from_numpy(matrix) for matrix in padding.pad([text], 0, padding.exact([text])))
    with torch.inference_mode():
        return [float(value) for value in model(ids, mask)[0]]
