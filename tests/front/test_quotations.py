"""What is a quotation, and what only looks like one."""

from __future__ import annotations

import pytest

from memory_mcp.domain.quotations import quotations


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ('"exact phrase" and more', ["exact phrase"]),
        ('a 27" monitor, "exact phrase"', ["exact phrase"]),
        ('("in brackets") ["and these"]', ["in brackets", "and these"]),
        ('"foo","bar baz"/"qux"', ["foo", "bar baz", "qux"]),
        ("„blauer Mond“ «deux» « trois mots » »fire« ‹cinq› ”sex ord” “seven”", None),
        ('彼は「猫」と『犬の』を 他说“你好吗”了 他说"你好"吗 คำว่า"รัก"คือ', ["猫", "犬の", "你好吗", "你好", "รัก"]),
        ('"foo \\"bar\\" baz" x', ['foo \\"bar\\" baz']),
        ('he said—"no entry"', ["no entry"]),
        ("“Foo bar,” he said", ["Foo bar,"]),
        ("don't \"stop now\", it's", ["stop now"]),
        ('"C++"', ["C++"]),
        ("＂full width＂", ["full width"]),
        ('27" or 32" monitor', []),
        ("5'11\" or 6'2\"", []),
        ("12°34'56\" north, 78°9'10\" east", []),
        ('3/4" or ½" pipe', []),
        ('27 " or 32 " monitor', []),
        ("27” or 32” monitor", []),
        ("27″ or 32″ monitor", []),
        ('printf("a b") f("c","d")', []),
        ('foo["bar baz"] key="a b" x:"y z"', []),
        ('{"a": "b c", "d":"e f", "g": 1}', []),
        ('\\"a b\\"', []),
        ('"unbalanced', []),
        ('unbalanced"', []),
        ('" padded "', []),
        ('"" "..." "!?" “” «»', []),
        ('"""doc string"""', []),
        ("", []),
    ],
)
def test_a_quotation_is_told_by_where_its_marks_stand(text: str, quoted: list[str] | None) -> None:
    """It opens after a blank, a bracket or at the start, and closes before a blank, punctuation or the end."""
    expected = ["blauer Mond", "deux", "trois mots", "fire", "cinq", "sex ord", "seven"] if quoted is None else quoted
    assert quotations(text)[0] == expected


def test_what_is_not_quoted_is_left() -> None:
    """The rest of a query has all words but the quoted ones."""
    assert quotations('a "b c" 27" d „e“')[1].split() == ["a", '27"', "d"]


def test_thousands_of_marks_cost_no_more_than_other_letters() -> None:
    """Marks that nothing closes are not looked for again and again, which would take minutes."""
    for text in (' "a' * 3_000, '" ' * 5_000, '""' * 5_000, ' "." ' * 2_000, " „a b" * 2_000, "“" * 9_999):
        assert quotations(text)[0] == []
