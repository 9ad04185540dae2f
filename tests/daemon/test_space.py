"""What a space is made of."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from embedder_daemon.model.space import EmbeddingSpace

SPACE = EmbeddingSpace(
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


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(EmbeddingSpace)])
def test_each_ingredient_makes_another_space(field: str) -> None:
    """A change of any field changes the id."""
    value = getattr(SPACE, field)
    changed: dict[str, Any] = {field: not value if isinstance(value, bool) else value * 2 or "x"}  # of the field's type
    other = dataclasses.replace(SPACE, **changed)
    assert other.space_id != SPACE.space_id


def test_the_id_is_stable_and_readable() -> None:
    """The id is a fixed function of the fields: stores on disk depend on it."""
    assert SPACE.space_id == "some-model-6fd531c59900c23b"


def test_a_later_field_at_its_default_leaves_the_id() -> None:
    """The fields that came later are told only when they say something, so that older ids stay what they are."""
    told = dataclasses.replace(SPACE, dense="Tanh", lower_case=True)
    assert told.space_id != SPACE.space_id
    assert dataclasses.replace(told, dense="", lower_case=False).space_id == SPACE.space_id
