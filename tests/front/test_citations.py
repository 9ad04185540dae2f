"""An answer cites what was sent, however its text is cut on the way."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_mcp.context.citations import Citations

PIECES = (*"12a [](【】†`\n-", "30", "2024", ", ", "; ", "``", "```", "[1]", "[2, 7]", "[0]", "[1-9]")
TEXTS = st.lists(st.sampled_from(PIECES)).map("".join)


def checked(pieces: list[str]) -> tuple[str, Citations]:
    """Return what is shown of an answer in pieces."""
    citations = Citations({1, 2, 3})
    shown = "".join(map(citations.checked, pieces)) + citations.rest()
    return shown, citations


@pytest.mark.parametrize(
    ("said", "shown", "cited", "unknown"),
    [
        ("Under the mat [2].", "Under the mat [2].", [2], []),
        ("Blue [1, 3]; red [3][1].", "Blue [1][3]; red [3][1].", [1, 3], []),
        ("All of it [1-3].", "All of it [1][2][3].", [1, 2, 3], []),
        ("No [4] and [1;9].", "No [4?] and [1][9?].", [1], [4, 9]),
        ("Backwards [3-1].", "Backwards [3][1].", [3, 1], []),
        ("All [1-900].", "All [1-900?].", [], [900]),
        ("Much [2, 4–9].", "Much [2][4-9?].", [2], [4, 9]),
        (f"Long [{', '.join(['1', '4'] * 40)}].", "Long [1][4?].", [1], [4]),
        ("Close to a word[1], 垫子下面[2][4].", "Close to a word[1], 垫子下面[2][4?].", [1, 2], [4]),
        ("So【2】 and 【1†lines】【4】.", "So[2] and [1][4?].", [2, 1], [4]),
        ("At argv[0], a[12], b[0][1].", "At argv[0], a[12], b[0][1].", [], []),
        ("[1](https://x) [the boat][1] [1][2](x)", "[1](https://x) [the boat][1] [1][2](x)", [1], []),
        ("Run `a[12]` or ``b` [4]`` [1].", "Run `a[12]` or ``b` [4]`` [1].", [1], []),
        ("A ` alone [4]\nand ` [1]", "A ` alone [4?]\nand ` [1]", [1], [4]),
        ("```\na[12] ` [7]\n```\nSo [1].", "```\na[12] ` [7]\n```\nSo [1].", [1], []),
        ("Never closed:\n```\nx = [12]", "Never closed:\n```\nx = [12]", [], []),
        ("[] [2024] [a1] [1 2] [1", "[] [2024] [a1] [1 2] [1", [], []),
    ],
)
def test_numbers_that_were_not_sent_are_marked(said: str, shown: str, cited: list[int], unknown: list[int]) -> None:
    """Others are shown one by one; what is no citation stays as it is."""
    text, citations = checked([said])
    assert (text, citations.cited, citations.unknown) == (shown, cited, unknown)


@given(TEXTS, st.data())
def test_the_cuts_of_a_stream_change_nothing(text: str, data: st.DataObject) -> None:
    """A citation is one wherever it is cut."""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)))))
    pieces = [text[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert checked(pieces)[0] == checked([text])[0]


@given(TEXTS)
def test_nothing_else_is_shown_as_a_citation(text: str) -> None:
    """Outside code, links and indexes every plain `[n]` of up to three digits is a number that was sent."""
    shown, citations = checked([text.translate(str.maketrans("", "", "`(a"))])
    plain = {int(number) for number in re.findall(r"(?<!\])\[([1-9]\d{0,2})\]", shown)}
    assert plain <= {1, 2, 3}
    assert plain <= set(citations.cited)
