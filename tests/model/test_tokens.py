"""Tokenising for many callers at once."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from embedder_daemon.engines.base import EmbedTask
from embedder_daemon.errors import LoadError
from embedder_daemon.model.space import EmbeddingSpace, ModelFiles

if TYPE_CHECKING:
    import tokenizers

    from embedder_daemon.engines.tokens import Tokeniser
else:
    tokenizers = pytest.importorskip("tokenizers")  # the light interpreter collects this file too
    from embedder_daemon.engines.tokens import Tokeniser

LONG = ["hello world again " * 1_000] * 64


@pytest.fixture
def tokenizer() -> tokenizers.Tokenizer:
    """Make a tokenizer of two words."""
    words = tokenizers.models.WordLevel({"[UNK]": 0, "hello": 1, "world": 2}, unk_token="[UNK]")  # noqa: S106 - no password
    tokenizer = tokenizers.Tokenizer(words)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    return tokenizer


def _tokeniser(
    tokenizer: tokenizers.Tokenizer, folder: Path, max_tokens: int = 4096, query: str = "", document: str = ""
) -> Tokeniser:
    tokenizer.save(str(folder / "tokenizer.json"))
    space = EmbeddingSpace(
        model="tiny",
        weights_sha256="",
        tokenizer_sha256="",
        pooling="mean",
        normalised=True,
        query_prompt=query,
        document_prompt=document,
        max_tokens=max_tokens,
        dimensions=4,
    )
    return Tokeniser(ModelFiles(folder, space, pad_token_id=0, width=4))


class Bulk(threading.Thread):
    """Tokenises long texts until it is told to stop."""

    def __init__(self, tokeniser: Tokeniser) -> None:
        super().__init__()
        self.calls = 0
        self.over = threading.Event()
        self._tokeniser = tokeniser

    def run(self) -> None:
        """Call and count."""
        while not self.over.is_set():
            self._tokeniser.encode(LONG, EmbedTask.DOCUMENT)
            self.calls += 1


@pytest.mark.parametrize("texts", [["hello world", "hello"], ["hello world " * 100] * 4], ids=["short", "longer"])
def test_a_call_waits_for_no_bulk(tokenizer: tokenizers.Tokenizer, tmp_path: Path, texts: list[str]) -> None:
    """While two others tokenise bulk, a hundred short or longer calls are answered before eight of bulk are."""
    tokeniser = _tokeniser(tokenizer, tmp_path)
    bulk = [Bulk(tokeniser), Bulk(tokeniser)]
    for thread in bulk:
        thread.start()
    for _ in range(100):
        rows = tokeniser.encode(texts, EmbedTask.DOCUMENT)
        assert [row.ids[:2] for row in rows] == [(1, 2)[: row.token_count] for row in rows]
    calls = sum(thread.calls for thread in bulk)
    for thread in bulk:
        thread.over.set()
        thread.join()
    assert calls < 8
    assert all(thread.calls for thread in bulk)


def test_others_run_meanwhile(tokenizer: tokenizers.Tokenizer, tmp_path: Path) -> None:
    """Though Python would not take the lock from the thread that tokenises, another one gets it at each text."""
    tokeniser = _tokeniser(tokenizer, tmp_path)
    thread = threading.Thread(target=tokeniser.encode, args=(LONG, EmbedTask.DOCUMENT))
    switch_s = sys.getswitchinterval()
    sys.setswitchinterval(60)
    try:
        thread.start()
        rounds = 0
        while thread.is_alive():
            time.sleep(0)  # lets go of the lock
            rounds += 1
    finally:
        sys.setswitchinterval(switch_s)
    assert rounds > len(LONG)


@pytest.mark.parametrize("task", ["query", "document"])
def test_a_prompt_that_leaves_texts_too_little_is_refused(
    tokenizer: tokenizers.Tokenizer, tmp_path: Path, task: str
) -> None:
    """One that takes half of the model's tokens is used; one that takes more is told with its setting."""
    prompts = {task: "hello " * 8}
    assert _tokeniser(tokenizer, tmp_path, 16, **prompts).encode(["world"], EmbedTask(task))[0].ids[-1] == 2
    for words in (9, 16, 1_000):
        told = rf"the {task} prompt takes {words} of the 16 tokens .* set EMBEDDER_{task.upper()}_PROMPT to"
        with pytest.raises(LoadError, match=told):
            _tokeniser(tokenizer, tmp_path, 16, **{task: "hello " * words})


@pytest.mark.parametrize("blank", ["a", "\n", "\U0001f600", "e\u0301"], ids=ascii)
def test_of_an_endless_word_the_beginning_is_read(tokenizer: tokenizers.Tokenizer, tmp_path: Path, blank: str) -> None:
    """What stands behind it counts as cut off, and the vector is that of the characters that are said to be read."""
    tokeniser = _tokeniser(tokenizer, tmp_path, 64)
    text = f"hello {blank * (6_000_000 // len(blank))} world"
    (huge,) = tokeniser.encode([text], EmbedTask.DOCUMENT)
    assert huge.truncated
    assert 500_000 < huge.consumed_chars < 2_000_000
    (read,) = tokeniser.encode([text[: huge.consumed_chars]], EmbedTask.DOCUMENT)
    assert (read.ids, read.truncated) == (huge.ids, False)


def test_a_text_of_long_words_is_read_to_the_last_token(tokenizer: tokenizers.Tokenizer, tmp_path: Path) -> None:
    """Where a larger window has as many tokens as the model reads, all of them are taken."""
    (text,) = _tokeniser(tokenizer, tmp_path, 64).encode([("x" * 10_000 + " ") * 100], EmbedTask.DOCUMENT)
    assert (len(text.ids), text.truncated, text.consumed_chars, text.token_count) == (64, True, 64 * 10_001 - 1, 100)
