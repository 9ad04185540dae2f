"""From texts to tokens, the same for every engine that runs a real model."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

import tokenizers

from embedder_daemon.engines.base import EmbedTask, Encoded
from embedder_daemon.errors import LoadError
from embedder_daemon.model import tokenizer_files
from embedder_daemon.model.folder import ModelFolder
from embedder_daemon.model.space import ModelFiles

_WINDOW: Final = 1 << 16
"""Characters that are tokenised at a time: each takes 160 bytes of memory, and 660 in Chinese (measured)."""
_COUNTED: Final = 1 << 20
"""Characters behind what the model reads whose tokens are counted; what stands behind them is estimated from them."""
_READ: Final = 1 << 20
"""Characters after which a text that has fewer tokens than the model reads is taken for one endless word."""
_LONG_TOKEN: Final = 16
"""Characters of a token, of which prose has three to six; models that read very long texts are given more."""
_MARGIN: Final = 64
"""Tokens before the end of a window that what comes behind it may change."""

os.putenv("TOKENIZERS_PARALLELISM", "false")  # a batch of one needs no pool of threads, which bulk would fill


class Tokeniser:
    """A model's tokenizer, prompts and maximum length; used from several threads at once."""

    def __init__(self, files: ModelFiles) -> None:
        self._space = files.space
        self._tokenizer = _read(files)
        self._special = self._tokenizer.num_special_tokens_to_add(is_pair=False)
        self._refuse_long_prompts(files)

    def _refuse_long_prompts(self, files: ModelFiles) -> None:
        """Raise LoadError where a prompt leaves texts less than half of the model's tokens; they would look alike."""
        space = self._space
        for task, prompt in (("query", space.query_prompt), ("document", space.document_prompt)):
            taken = len(self._tokens(prompt)) + self._special if prompt else 0
            if 2 * taken > space.max_tokens:
                raise LoadError(
                    f"the {task} prompt takes {taken} of the {space.max_tokens} tokens that the model {files.folder} "
                    f"reads, special tokens included, and may take half at most: set EMBEDDER_{task.upper()}_PROMPT to "
                    "a shorter one, or to nothing; it overrules the one of the model's files or family"
                )

    def encode(self, texts: Sequence[str], task: EmbedTask) -> list[Encoded]:
        """Tokenise; the tokenizer is Rust, and lets other threads run meanwhile.

        One text after another, so that no call waits for bulk's; in batches of one, because only those let go of
        Python's lock.
        """
        prompt = self._space.query_prompt if task is EmbedTask.QUERY else self._space.document_prompt
        return [self._encode(text, prompt) for text in texts]

    def _encode(self, text: str, prompt: str) -> Encoded:
        """Cut before the special tokens are added; touches the tokens that are kept, and no others."""
        encoding, end = self._beginning(text, prompt)
        tokens, room = len(encoding), self._space.max_tokens - self._special
        consumed = end
        if too_many := tokens > room:
            span = encoding.token_to_chars(room - 1)
            consumed = max(0, span[1] - len(prompt)) if span else 0
            encoding.truncate(room)
        return Encoded(
            ids=tuple(self._tokenizer.post_process(encoding).ids),
            token_count=tokens + self._special + self._count(text, end),
            truncated=too_many or end < len(text),
            consumed_chars=consumed,
        )

    def _beginning(self, text: str, prompt: str) -> tuple[tokenizers.Encoding, int]:
        """Tokenise as much of a text as the model can read and a little more; also return where that ends.

        What stands behind the end must not change a token that is kept. Of a text without places to cut, such as
        millions of equal letters, only the beginning is read, for each round reads all of it again.
        """
        enough, end = self._space.max_tokens + _MARGIN, _WINDOW
        most = max(_READ, _LONG_TOKEN * self._space.max_tokens)
        while True:
            cut = _place(text, 0, end)
            encoding = self._tokens(prompt + text[:cut])
            if cut == len(text) or len(encoding) >= enough or end >= most:
                return encoding, cut
            end = min(4 * end, most)

    def _count(self, text: str, start: int) -> int:
        """Return the number of tokens from a place on, window by window; that of far more characters is estimated."""
        tokens, place = 0, start
        while place < min(len(text), start + _COUNTED):
            end = _place(text, place, place + _WINDOW)
            tokens += len(self._tokens(text[place:end]))
            place = end
        return tokens if place == len(text) else round(tokens * (len(text) - start) / (place - start))

    def _tokens(self, text: str) -> tokenizers.Encoding:
        return self._tokenizer.encode_batch([text], add_special_tokens=False)[0]


def _place(text: str, start: int, end: int) -> int:
    """Return where a window ends that begins at `start`: before the last space before `end`, if one is near."""
    if end >= len(text):
        return len(text)
    space = text.rfind(" ", end - _WINDOW // 16, end)
    return space if space > start else end


def _read(files: ModelFiles) -> tokenizers.Tokenizer:
    """Read the tokenizer without the truncation and padding that its file may ask for."""
    text = tokenizer_files.read(ModelFolder(files.folder, "install the model again"), "")
    try:
        tokenizer = tokenizers.Tokenizer.from_str(text)
    except Exception as error:  # tokenizers raises nothing more special
        raise LoadError(f"the tokenizer of {files.folder} cannot be used: install the model again") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    if files.space.lower_case:
        steps = [tokenizers.normalizers.Lowercase(), tokenizer.normalizer]
        tokenizer.normalizer = tokenizers.normalizers.Sequence(list(filter(None, steps)))
    return tokenizer
