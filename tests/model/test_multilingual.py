"""The multilingual model with its real weights, where `daemon install --model multilingual` brought them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from embedder_api.v1 import embedder_pb2, wire

from embedder_daemon.engines.base import EmbedTask
from embedder_daemon.errors import ModelMissingError
from embedder_daemon.model import discovery
from embedder_daemon.model.space import ModelFiles
from memory_common.pins import MULTILINGUAL
from tests.model.conftest import running

pytest.importorskip("tokenizers")  # the light interpreter collects this file too
from embedder_daemon.engines.tokens import Tokeniser

NOTES = (
    "Der Schlüssel zum Bootshaus liegt unter der dritten Stufe.",
    "Marta verträgt keine Erdnüsse und kaum Schalentiere.",
    "図書館は月曜日に休みです。",
)
QUESTIONS = (
    "Where is the key of the boat house?",
    "Which food is Marta allergic to?",
    "On which day is the library closed?",
)


@pytest.fixture(scope="module")
def files() -> ModelFiles:
    """Find the model."""
    try:
        return discovery.find(MULTILINGUAL)
    except ModelMissingError:
        pytest.skip("not there: memory-mcp daemon install --venv .venv-daemon --no-service --model multilingual")


def test_tokens_are_those_of_the_published_tokenizer(files: ModelFiles) -> None:
    """XLM-RoBERTa's ids of two words, as its documentation has them, behind those of the prompt."""
    tokeniser = Tokeniser(files)
    (encoded,) = tokeniser.encode(["Hello world"], EmbedTask.QUERY)
    (prompt,) = tokeniser.encode([""], EmbedTask.QUERY)
    assert encoded.ids == (*prompt.ids[:-1], 35378, 8999, 2)
    (wide,) = tokeniser.encode(["Ｈｅｌｌｏ\u3000\tworld\n"], EmbedTask.QUERY)
    assert wide.ids == encoded.ids


@pytest.mark.parametrize("engine", ["torch", "openvino", pytest.param("onnx", marks=pytest.mark.slow)])
def test_a_question_finds_the_note_in_another_language(engine: str, files: ModelFiles, cache_home: Path) -> None:
    """Each engine passes the golden check, says the prompts, and puts each answer before the others."""
    with running(cache_home, engine, "float32", EMBEDDER_MODEL=MULTILINGUAL) as daemon:
        info = daemon.ready().info()
        assert (info.query_prompt, info.document_prompt, info.max_tokens) == ("query: ", "passage: ", 512)
        assert info.space_id == files.space.space_id
        asked, stored = daemon.embed(*QUESTIONS, task=embedder_pb2.TASK_QUERY), daemon.embed(*NOTES)
        vectors = [
            np.array([wire.unpack(row) for row in wire.split_rows(told.vectors, told.dimensions, len(told.items))])
            for told in (asked, stored)
        ]
        assert (vectors[0] @ vectors[1].T).argmax(axis=1).tolist() == [0, 1, 2]
