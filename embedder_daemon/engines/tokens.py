"""From texts to tokens, the same for every engine that runs a real model."""

from __future__ import annotations

import os
from collections.abc import Sequence

import tokenizers

from embedder_daemon.engines.base import Encoded, Task
from embedder_daemon.errors import LoadError
from embedder_daemon.space import ModelFiles

os.putenv("TOKENIZERS_PARALLELISM", "false")  # a batch of one needs no pool of threads, which bulk would fill


class Tokeniser:
    """A model's tokenizer, prompts and maximum length; used from several threads at once."""

    def __init__(self, files: ModelFiles) -> None:
        self._space = files.space
        self._tokenizer = _read(files)
        self._special = self._tokenizer.num_special_tokens_to_add(is_pair=False)

    def encode(self, texts: Sequence[str], task: Task) -> list[Encoded]:
        """Tokenise; the tokenizer is Rust, and lets other threads run meanwhile.

        One text after another, so that no call waits for bulk's; in batches of one, because only those let go of
        Python's lock.
        """
        prompt = self._space.query_prompt if task is Task.QUERY else self._space.document_prompt
        inputs = [prompt + text for text in texts] if prompt else list(texts)
        encodings = [self._tokenizer.encode_batch([text], add_special_tokens=False)[0] for text in inputs]
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


def _read(files: ModelFiles) -> tokenizers.Tokenizer:
    """Read the tokenizer without the truncation and padding that its file may ask for."""
    try:
        tokenizer = tokenizers.Tokenizer.from_file(str(files.folder / "tokenizer.json"))
    except Exception as error:  # tokenizers raises nothing more special
        raise LoadError(f"{files.folder / 'tokenizer.json'} is no tokenizer: install the model again") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    if files.space.lower_case:
        steps = [tokenizers.normalizers.Lowercase(), tokenizer.normalizer]
        tokenizer.normalizer = tokenizers.normalizers.Sequence(list(filter(None, steps)))
    return tokenizer
