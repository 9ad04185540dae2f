"""What a model thinks before it answers is not part of the answer, however its text is cut on the way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_mcp.context.asking import Thinking

TEXTS = st.lists(st.sampled_from(["<think>", "</think>", "<", "think", ">", "a", " ", "\n"])).map("".join)


def spoken(pieces: list[str]) -> str:
    """Return what is left of an answer in pieces."""
    thinking = Thinking()
    return "".join(map(thinking.spoken, pieces)) + thinking.rest()


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("Under the mat.", "Under the mat."),
        ("\n<think>Hm.</think>\n\nUnder the <think>mat</think>.", "Under the <think>mat</think>."),
        ("<thinking is hard", "<thinking is hard"),
        ("<thin", "<thin"),
        ("<think>Without an end", ""),
        ("<think></think> ", ""),
    ],
)
def test_only_thoughts_are_left_out(said: str, left: str) -> None:
    """Only before the answer, and whole."""
    assert spoken([said]) == left


@given(TEXTS, st.data())
def test_the_cuts_of_a_stream_change_nothing(text: str, data: st.DataObject) -> None:
    """Thoughts are such wherever they are cut."""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)))))
    pieces = [text[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert spoken(pieces) == spoken([text])
