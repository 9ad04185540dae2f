"""Tokenising for many callers at once."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from embedder_daemon.engines.base import Task
from embedder_daemon.space import ModelFiles, Space

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


def _tokeniser(tokenizer: tokenizers.Tokenizer, folder: Path) -> Tokeniser:
    tokenizer.save(str(folder / "tokenizer.json"))
    space = Space(
        model="tiny",
        weights_sha256="",
        tokenizer_sha256="",
        pooling="mean",
        normalised=True,
        query_prompt="",
        document_prompt="",
        max_tokens=4096,
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
            self._tokeniser.encode(LONG, Task.DOCUMENT)
            self.calls += 1


@pytest.mark.parametrize("texts", [["hello world", "hello"], ["hello world " * 100] * 4], ids=["short", "longer"])
def test_a_call_waits_for_no_bulk(tokenizer: tokenizers.Tokenizer, tmp_path: Path, texts: list[str]) -> None:
    """While two others tokenise bulk, a hundred short or longer calls are answered before eight of bulk are."""
    tokeniser = _tokeniser(tokenizer, tmp_path)
    bulk = [Bulk(tokeniser), Bulk(tokeniser)]
    for thread in bulk:
        thread.start()
    for _ in range(100):
        rows = tokeniser.encode(texts, Task.DOCUMENT)
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
    thread = threading.Thread(target=tokeniser.encode, args=(LONG, Task.DOCUMENT))
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
