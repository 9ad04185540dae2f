"""Tokenises texts, in the same way for every engine with a real model."""

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
"""Characters tokenised at a time: each takes 160 bytes of memory, 660 in Chinese (measured)."""
_COUNTED: Final = 1 << 20
"""Characters beyond the model's window whose tokens are counted; the rest is extrapolated from them."""
_READ: Final = 1 << 20
"""Characters after which a text with too few tokens to fill the window counts as one endless word."""
_LONG_TOKEN: Final = 16
"""Characters per token to assume; prose has three to six. Models with very long windows get more."""
_MARGIN: Final = 64
"""Tokens at the end of a window that the text after it may change."""

os.putenv("TOKENIZERS_PARALLELISM", "false")  # batches of one need no thread pool, which bulk would fill


class Tokeniser:
    """A model's tokenizer, prompts and maximum length; safe for several threads."""

    def __init__(self, files: ModelFiles) -> None:
        self._space = files.space
        self._tokenizer = _read(files)
        self._special = self._tokenizer.num_special_tokens_to_add(is_pair=False)
        self._refuse_long_prompts(files)

    def _refuse_long_prompts(self, files: ModelFiles) -> None:
        """Raise LoadError if a prompt takes more than half of the model's tokens: all texts would look alike."""
        space = self._space
        for task, prompt in (("query", space.query_prompt), ("document", space.document_prompt)):
            taken = len(self._tokens(prompt)) + self._special if prompt else 0
            if 2 * taken > space.max_tokens:
                raise LoadError(
                    f"the {task} prompt takes {taken} of the {space.max_tokens} tokens that the model {files.folder} "
                    f"reads, special tokens included, but may take at most half: set EMBEDDER_{task.upper()}_PROMPT to "
                    "a shorter one, or to nothing; it overrides the prompt of the model's files or family"
                )

    def encode(self, texts: Sequence[str], task: EmbedTask) -> list[Encoded]:
        """Tokenise; the tokenizer is written in Rust and releases the GIL.

        One text after another, so that no call waits for bulk's; as batches of one, because only the batch methods
        release the GIL.
        """
        prompt = self._space.query_prompt if task is EmbedTask.QUERY else self._space.document_prompt
        return [self._encode(text, prompt) for text in texts]

    def _encode(self, text: str, prompt: str) -> Encoded:
        """Truncate before adding the special tokens; processes only the tokens that are kept."""
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

        The text after the end must not change a token that is kept. Of a text that cannot be split, such as millions of
        equal letters, only the beginning is read, because each round starts over.
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
        """Return the number of tokens from an offset on, window by window; extrapolated for very long texts."""
        tokens, place = 0, start
        while place < min(len(text), start + _COUNTED):
            end = _place(text, place, place + _WINDOW)
            tokens += len(self._tokens(text[place:end]))
            place = end
        return tokens if place == len(text) else round(tokens * (len(text) - start) / (place - start))

    def _tokens(self, text: str) -> tokenizers.Encoding:
        return self._tokenizer.encode_batch([text], add_special_tokens=False)[0]


def _place(text: str, start: int, end: int) -> int:
    """Return the end of a window that begins at `start`: before the last space before `end`, if one is near."""
    if end >= len(text):
        return len(text)
    space = text.rfind(" ", end - _WINDOW // 16, end)
    return space if space > start else end


def _read(files: ModelFiles) -> tokenizers.Tokenizer:
    """Load the tokenizer without the truncation and padding that its file may specify."""
    text = tokenizer_files.read(ModelFolder(files.folder, "install the model again"), "")
    try:
        tokenizer = tokenizers.Tokenizer.from_str(text)
    except Exception as error:  # tokenizers raises nothing more specific
        raise LoadError(f"the tokenizer of {files.folder} cannot be used: install the model again") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    if files.space.lower_case:
        steps = [tokenizers.normalizers.Lowercase(), tokenizer.normalizer]
        tokenizer.normalizer = tokenizers.normalizers.Sequence(list(filter(None, steps)))
    return tokenizer
