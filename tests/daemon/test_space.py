"""What a space is made of, and what a model's files say."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from embedder_daemon import model
from embedder_daemon.errors import LoadError, ModelDamagedError, ModelMissingError
from embedder_daemon.space import Space

SPACE = Space(
    "some model",
    "aa",
    "bb",
    "mean",
    normalised=True,
    query_prompt="",
    document_prompt="",
    max_tokens=256,
    dimensions=384,
)


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Space)])
def test_each_ingredient_makes_another_space(field: str) -> None:
    """A change of any field changes the id."""
    value = getattr(SPACE, field)
    changed: dict[str, Any] = {field: not value if isinstance(value, bool) else value * 2 or "x"}  # of the field's type
    other = dataclasses.replace(SPACE, **changed)
    assert other.space_id != SPACE.space_id


def test_the_id_is_stable_and_readable() -> None:
    """The id is a fixed function of the fields: stores on disk depend on it."""
    assert SPACE.space_id == "some-model-6fd531c59900c23b"


def _files(folder: Path, **changed: object) -> Path:
    """Write a tiny model; a value of None leaves a file out."""
    contents: dict[str, object] = {
        "config.json": {"hidden_size": 8, "max_position_embeddings": 64, "pad_token_id": 1},
        "modules.json": [{"path": "", "type": "a.Transformer"}, {"path": "1_Pooling", "type": "a.Pooling"}],
        "1_Pooling/config.json": {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False},
        "sentence_bert_config.json": {"max_seq_length": 32},
        "config_sentence_transformers.json": {"prompts": {"query": "query: ", "document": "passage: "}},
        "model.safetensors": "weights",
        "tokenizer.json": {},
    } | changed
    for name, content in contents.items():
        if content is not None:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


def test_everything_is_read_from_the_models_own_files(tmp_path: Path) -> None:
    """Pooling, prompts, lengths, dimensions, padding and digests come from the folder."""
    found = model.find(str(_files(tmp_path / "tiny")))
    space = found.space
    assert (space.model, space.pooling, space.max_tokens, space.dimensions) == ("tiny", "cls", 32, 8)
    assert (space.query_prompt, space.document_prompt, found.pad_token_id) == ("query: ", "passage: ", 1)
    again = model.find(str(_files(tmp_path / "again" / "tiny", **{"model.safetensors": "others"})))
    assert again.space.space_id != space.space_id


def test_absent_optional_files_have_defaults(tmp_path: Path) -> None:
    """Without the optional files the model's configuration says the length, and there are no prompts."""
    absent = {"sentence_bert_config.json": None, "config_sentence_transformers.json": None}
    newer = {"1_Pooling/config.json": {"pooling_mode": "mean"}}
    space = model.find(str(_files(tmp_path / "tiny", **absent, **newer))).space
    assert (space.max_tokens, space.query_prompt, space.pooling) == (64, "", "mean")


@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        ({"model.safetensors": None}, ModelMissingError, "model.safetensors"),
        ({"1_Pooling/config.json": None}, ModelMissingError, "1_Pooling"),
        ({"modules.json": "[1]"}, ModelDamagedError, "modules.json"),
        ({"config.json": "[]"}, ModelDamagedError, "config.json"),
        ({"config.json": "\xff{"}, ModelDamagedError, "config.json"),
        ({"config.json": {"hidden_size": "many"}}, ModelDamagedError, "hidden_size"),
        ({"1_Pooling/config.json": {"pooling_mode_max_tokens": True}}, LoadError, "pooling"),
        ({"modules.json": [{"path": "2_Dense", "type": "a.Dense"}]}, LoadError, "Dense"),
    ],
)
def test_what_is_wrong_with_a_model_is_named(
    tmp_path: Path, changed: dict[str, object], error: type[Exception], words: str
) -> None:
    """A missing, damaged or unsupported part is an error of its own kind that names the file."""
    with pytest.raises(error, match=words):
        model.find(str(_files(tmp_path / "tiny", **changed)))


def test_a_wrong_digest_is_damage(tmp_path: Path) -> None:
    """Where a digest is expected, other bytes are refused by the file's name."""
    with pytest.raises(ModelDamagedError, match=r"tokenizer\.json"):
        model.read(_files(tmp_path), "tiny", {"tokenizer.json": "0" * 64})
