"""What a word is in every script, and its plain spelling."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterator

import apsw
import pytest

from memory_mcp.domain.spelling import RUNS, fold, holds, normal, plain_words, words
from memory_mcp.search.lexical.analyzer import Analyzer
from memory_mcp.storage.tokenizer import porter

DROPPED = {"ARABIC", "HEBREW", "SYRIAC", "SAMARITAN", "COMBINING"}
"""First words in the names of marks that writers leave out."""
KEPT = {"DEVANAGARI", "GRANTHA", "BINDU", "KATAKANA-HIRAGANA", "GLAGOLITIC", "PERMIC"}
"""Scripts of marks that are called COMBINING and make letters."""
OTHER_LETTERS = {"TURNED", "REVERSED", "SIDEWAYS"}
UNSEEN = ("VARIATION SELECTOR", "MONGOLIAN FREE VARIATION SELECTOR")


def marks() -> Iterator[tuple[str, str]]:
    """Yield every assigned mark that takes no room or little (Mn, Mc), with a letter of its script before it."""
    base = "a"
    for character in map(chr, range(sys.maxunicode + 1)):
        if unicodedata.category(character) in {"Lo", "Ll"} and normal(character) == character:
            base = character
        elif unicodedata.category(character) in {"Mn", "Mc"}:
            yield base if RUNS.match(character) or not RUNS.match(base) else "a", character


def is_dropped(mark: str) -> bool:
    """Say whether a mark makes no difference, by its name."""
    name = unicodedata.name(mark)
    return name.startswith(UNSEEN) or (name.split()[0] in DROPPED and not KEPT & set(name.split()))


def test_every_mark_of_every_script_is_part_of_its_word() -> None:
    """No mark ends a word; it makes another word of it, but where writers leave it out."""
    db, seen = apsw.Connection(":memory:"), 0
    analyzer = Analyzer(porter(db))
    for base, mark in marks():
        seen += 1
        marked = unicodedata.normalize("NFC", f"{base}{mark}{base}")
        plain = analyzer.content_terms(base + base)
        made = analyzer.content_terms(marked)
        if is_dropped(mark) and not RUNS.search(mark):
            assert made == plain, f"{ord(mark):x} {unicodedata.name(mark)}"
        else:
            assert made != plain, f"{ord(mark):x} {unicodedata.name(mark)}"
            assert analyzer.content_terms(base + mark) != analyzer.content_terms(base), f"{ord(mark):x}"
        if not RUNS.search(marked):
            assert list(words(normal(marked))) == [normal(marked)], f"{ord(mark):x}"
            assert len(plain_words(marked)) == 1, f"{ord(mark):x}"
    assert seen > 2_000


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("đ ł ø ı æ œ þ ð ħ ŧ", "d l o i ae oe th d h t"),
        ("Đ Ł Ø İ Æ Œ Þ Ð Ħ Ŧ", "d l o i ae oe th d h t"),
        ("ƀ ɨ ɉ ŀ ŋ ĸ ſ ß ẞ ﬁ ǆ ĳ ŉ", "b i j l n k s ss ss fi dz ij n"),
        ("ƶ ɍ ⱥ ȼ ɇ ꞓ ᵽ ꝥ ǥ ǿ ǽ ə ɛ ɔ ɓ ɗ ꜳ ʣ ƿ ȷ ỻ", "z r a c e c p th g o ae e e o b d aa dz w j ll"),
        ("Ωμέγα Ἀθῆναι", "ωμεγα αθηναι"),
        ("Ёжик Йод ї За́мок ѝ ѓ ќ ў ѷ", "ежик йод ї замок и ѓ ќ ў ѵ"),
        ("バス ﾊﾟｽ か\u3099き ゞ", "バス パス がき ゞ"),
        ("Việt Nam", "viet nam"),
        ("ﷺ لَا ﻻ أحمد إلى", None),
        ("১২৩ ٤٥ ໑", "123 45 1"),
        ("C++ C# C♯ C++17 Ｃ＋＋ abc# #c c+", "c＋＋ c＃ c＃ c＋＋ 17 c＋＋ abc c c"),
        ("a\u00adb a\u200bb a\u200db a\ufe0fb a\ufeffb", "ab a b ab ab ab"),
        ("l·l l · l", "ll l l"),
        ("\u0301 \u093f x", "\u093f x"),
        ("", ""),
    ],
)
def test_a_text_has_one_plain_spelling(written: str, plain: str | None) -> None:
    """Letters, signs and digits become what a plain writer types, and doing it again changes nothing."""
    made = plain_words(written)
    assert plain is None or made == plain.split()
    assert fold(" ".join(made)).split() == made


@pytest.mark.parametrize(
    ("one", "other"),
    [("バス", "パス"), ("かき", "がき"), ("ハス", "バス"), ("ゝ", "ゞ"), ("май", "маи"), ("її", "іі"), ("ўз", "уз")],
)
def test_a_mark_that_makes_another_letter_makes_another_word(one: str, other: str) -> None:
    """A quotation of one does not hold the other, composed or not."""
    for form in ("NFC", "NFD"):
        assert holds(unicodedata.normalize(form, one), one)
        assert not holds(unicodedata.normalize(form, one), other)
        assert not holds(unicodedata.normalize(form, other), one)


def test_every_letter_of_latin_with_an_addition_becomes_ascii() -> None:
    """Whatever stroke, hook or bar a Latin letter has, its name's letters are found."""
    left = []
    for character in map(chr, range(0x2C80)):
        name = unicodedata.name(character, "")
        if name.startswith(("LATIN SMALL LETTER", "LATIN CAPITAL LETTER")) and " WITH " in name:
            base = name.split(" WITH ")[0].split()[-1]
            if len(base) == 1 and not OTHER_LETTERS & set(name.split()) and not fold(normal(character)).isascii():
                left.append(name)
    assert left == []


@pytest.mark.parametrize(
    ("text", "phrase", "expected"),
    [
        ("Herr Müller wohnt", "mueller wohnt", True),
        ("Mueller", "Müller", True),
        ("昨日は東京タワーに行く", "東京タワー", True),
        ("東京都庁とタワー", "東京タワー", False),
        ("C++ code", "C", False),
        ("blue moons", "blue moon", False),
        ("किताबें", "किताब", False),
    ],
)
def test_a_phrase_is_held_in_either_spelling(text: str, phrase: str, expected: bool) -> None:  # noqa: FBT001 - a parameter
    """Whole words in a row are held, in scripts without blanks characters in a row."""
    assert holds(text, phrase) is expected
