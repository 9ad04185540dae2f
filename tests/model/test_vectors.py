"""Real vectors over the real socket."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from embedder_api.v1 import wire
from embedder_api.v1.contract import MAX_TEXTS
from google.protobuf.internal import api_implementation

from embedder_daemon.model import discovery
from memory_common.pins import BUNDLED_MODEL
from tests.model.conftest import running
from tests.model.corpus import made_texts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from sentence_transformers import SentenceTransformer

    from tests.model.conftest import Daemon
else:
    np = pytest.importorskip("numpy")  # the light interpreter collects this file too


def _vectors(daemon: Daemon, texts: list[str]) -> NDArray[np.float32]:
    """Return the daemon's rows for texts of which none has an error."""
    rows = []
    for start in range(0, len(texts), MAX_TEXTS):
        answer = daemon.embed(*texts[start : start + MAX_TEXTS])
        assert not any(item.error for item in answer.items)
        rows += [wire.unpack(row) for row in wire.split_rows(answer.vectors, answer.dimensions, len(answer.items))]
    return np.array(rows, dtype=np.float32)


def test_messages_are_read_by_compiled_code() -> None:
    """The lock names the wheels that were built for this platform: protobuf's other one is Python, and slow."""
    assert api_implementation.Type() == "upb"


@pytest.fixture(scope="session")
def expected(reference: SentenceTransformer, texts: list[str]) -> dict[str, NDArray[np.float64]]:
    """Return the vectors of in-process sentence-transformers for real texts and made ones, once for all engines."""
    chosen = [*texts, *made_texts(200)]
    rows = reference.encode(chosen, normalize_embeddings=True, convert_to_numpy=True).astype(np.float64)
    return dict(zip(chosen, rows, strict=True))


@pytest.mark.parametrize("made", [False, True])
def test_vectors_equal_sentence_transformers(
    daemon: Daemon, expected: dict[str, NDArray[np.float64]], texts: list[str], *, made: bool
) -> None:
    """Every vector is that of in-process sentence-transformers: float32 within cosine 0.99999, bfloat16 0.9995."""
    chosen = made_texts(200) if made else texts
    ours = _vectors(daemon, chosen).astype(np.float64)
    theirs = np.array([expected[text] for text in chosen])
    cosines = (ours * theirs).sum(axis=1) / np.linalg.norm(theirs, axis=1)
    assert len(chosen) == 200
    assert cosines.min() > {"float32": 0.99999, "bfloat16": 0.9995}[daemon.precision]
    assert np.abs(np.linalg.norm(ours, axis=1) - 1).max() < 1e-5


def test_a_vector_does_not_depend_on_its_batch(daemon: Daemon, cache_home: Path, texts: list[str]) -> None:
    """Alone, shuffled, in seven batchings, deduplicated and cached, no element changes by more than Info publishes."""
    tolerance = daemon.info().batch_tolerance
    assert 0 < tolerance <= {"float32": 1e-5, "bfloat16": 2e-3}[daemon.precision]
    mixed = [text if place % 16 == 0 else " ".join(text.split()[:30]) for place, text in enumerate(texts)]
    if daemon.engine == "torch":
        mixed = mixed[::5]  # it is the slowest by far; three of these forty are whole
    with running(cache_home, daemon.engine, daemon.precision, EMBEDDER_CACHE_MB="0") as forgetful:
        alone = np.concatenate([_vectors(forgetful.ready(), [text]) for text in mixed])
        worst = [np.abs(together - alone).max() for together in _batchings(forgetful, mixed)]
        fivefold = _vectors(forgetful, mixed[::4] * 5).reshape(5, -1, alone.shape[1])
    worst.append(np.abs(fivefold - alone[::4]).max())
    assert (fivefold == fivefold[0]).all()
    known, again = (_vectors(daemon, mixed) for _ in range(2))
    worst.append(np.abs(known - alone).max())
    assert (known == again).all()
    assert max(worst) <= tolerance, worst


def _batchings(daemon: Daemon, texts: list[str]) -> Iterator[NDArray[np.float32]]:
    """Yield the vectors, in the order of the texts, of seven shuffles in calls of seven sizes."""
    chance = random.Random(7)  # noqa: S311 - no secret
    for size in (2, 3, 7, 16, 32, 64, 200):
        order = chance.sample(range(len(texts)), len(texts))
        parts = [[texts[place] for place in order[start : start + size]] for start in range(0, len(order), size)]
        together = np.concatenate([_vectors(daemon, part) for part in parts])
        yield together[np.argsort(order)]


def test_token_counts_are_those_of_the_whole_text(
    daemon: Daemon, reference: SentenceTransformer, texts: list[str]
) -> None:
    """token_count is the reference tokenizer's, uncut and with special tokens; truncated says if it is over 256."""
    tokenizer = reference.tokenizer
    wanted = [len(tokenizer(text, truncation=False, verbose=False)["input_ids"]) for text in texts]
    items = daemon.embed(*texts).items
    assert [item.token_count for item in items] == wanted
    assert [item.truncated for item in items] == [count > 256 for count in wanted]
    assert any(item.truncated for item in items)


@pytest.mark.parametrize("word", ["hello ", "unbelievably ", "Ärger ", "日本", "👍🏽 ", "e\u0301té ", "a\0b "])
def test_consumed_chars_is_exact(daemon: Daemon, word: str) -> None:
    """The text up to consumed_chars has the same vector, fits, and one token more does not."""
    text = word * 400
    answer = daemon.embed(text)
    item = answer.items[0]
    assert item.truncated
    assert 0 < item.consumed_chars < len(text)
    part = daemon.embed(text[: item.consumed_chars], truncate=False)
    assert part.items[0].error == ""
    assert (part.items[0].token_count, part.items[0].truncated) == (256, False)
    difference = np.abs(np.array(wire.unpack(part.vectors)) - np.array(wire.unpack(answer.vectors))).max()
    assert difference <= daemon.info().batch_tolerance


def test_consumed_chars_of_real_texts(daemon: Daemon, texts: list[str]) -> None:
    """Real texts that are cut have the vector of what was consumed; the others are consumed whole."""
    items = daemon.embed(*texts).items
    whole = [text for text, item in zip(texts, items, strict=True) if not item.truncated]
    assert [item.consumed_chars for item in items if not item.truncated] == [len(text) for text in whole]
    pairs = [(text, text[: item.consumed_chars]) for text, item in zip(texts, items, strict=True) if item.truncated]
    cut, again = (_vectors(daemon, list(side)) for side in zip(*pairs, strict=True))
    assert np.abs(cut - again).max() <= daemon.info().batch_tolerance


def test_info_names_the_model_that_is_on_disk(daemon: Daemon) -> None:
    """The space is that of the verified files, and its id is fixed: stores depend on it."""
    info, space = daemon.info(), discovery.find(BUNDLED_MODEL).space
    assert (space.weights_sha256, space.tokenizer_sha256) == tuple(discovery.BUNDLED_SHA256.values())
    assert (space.pooling, space.max_tokens, space.dimensions, space.normalised) == ("mean", 256, 384, True)
    assert info.space_id == space.space_id == "all-MiniLM-L6-v2-4d746f3f50367adb"
    assert (info.engine, info.precision, info.max_tokens, info.dimensions) == (
        daemon.engine,
        daemon.precision,
        256,
        384,
    )
    library = {"onnx": "onnxruntime"}.get(daemon.engine, daemon.engine)
    assert set(info.versions) >= {"python", "grpcio", library, "tokenizers"}


def test_monstrous_texts_are_answered(daemon: Daemon) -> None:
    """A word of 1 MB, a million characters, combining marks and special tokens get a vector in reasonable time."""
    monsters = [
        "a" * 1_000_000,
        "hello wonderful world, " * 43_478,
        "e" + "\u0301" * 10_000,
        "[SEP] [CLS]",
        "\0",
        "👩‍👩‍👧‍👦",
        "שלום עולם, مرحبا بالعالم",
    ]
    answer = daemon.embed(*monsters)
    assert [item.error for item in answer.items] == [""] * len(monsters)
    assert answer.items[1].token_count > 170_000
    assert all(map(wire.is_sound, wire.split_rows(answer.vectors, 384, len(monsters))))


def test_a_word_of_ten_megabytes_gets_a_vector(cache_home: Path) -> None:
    """Its beginning is read, and the rest counts as truncated; the tokenizer is the same in every engine."""
    with running(cache_home, "openvino", "float32") as daemon:
        (item,) = daemon.ready().embed("a" * 10_000_000).items
        assert (item.error, item.truncated) == ("", True)
        assert 0 < item.consumed_chars < 10_000_000


def test_too_long_is_an_item_error_without_truncate(daemon: Daemon) -> None:
    """A long text is refused by itself, and its neighbour is served."""
    answer = daemon.embed("long " * 300, "short", truncate=False)
    assert [item.error.partition(":")[0] for item in answer.items] == ["too_long", ""]
    assert len(answer.vectors) == 384 * 4
