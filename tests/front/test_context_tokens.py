"""The bound of a text's tokens is never below what o200k_base counts, and not far above it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memory_mcp.context.models import Evidence
from memory_mcp.context.packing import Candidates, pack
from memory_mcp.context.tokens import bound
from tests.o200k import IS_THERE, O200k

ENGLISH = (
    "I went to a support group yesterday and it was so powerful. The stories were inspiring, and I felt thankful for "
    "everybody's help; we'll meet again on 7 July 2023 at 13:45.",
    43,
)
GERMAN = (
    "Die Verteidigung der Panthers gab nur 308 Punkte ab und belegte den sechsten Platz in der Liga, während sie die "
    "Mitgliedstaaten über wirtschaftliche Untersuchungen unterrichtete.",
    38,
)
CHINESE = ("我昨天去了图书馆，借了三本关于机器学习的书。会议改到下周三下午两点，地点在三楼的蓝色会议室。", 37)
CODE = (
    'def bound(text: str) -> int:\n    """Return the most tokens."""\n'
    "    return sum(map(_cost, _PIECES.findall(text)))\n"
    "app.route('/api/v1/users/<int:user_id>', methods=['GET'])\n",
    46,
)
RUSSIAN = ("Вчера я ходил в библиотеку и взял три книги о машинном обучении.", 19)
OTHERS = (
    ("مرحبا بالعالم، هذا اختبار للنظام الجديد الذي يتذكر كل شيء", 15),
    ("שלום עולם, זה מבחן של המערכת החדשה שזוכרת הכול", 16),
    ("नमस्ते दुनिया, यह नई प्रणाली का एक परीक्षण है जो सब कुछ याद रखती है", 20),
    ("Xin chào, đây là bài kiểm tra của hệ thống mới, người dùng được cập nhật", 19),
    ("안녕하세요 세계, 이것은 모든 것을 기억하는 새 시스템의 시험입니다", 15),
    ("こんにちは世界、これはすべてを覚えている新しいシステムのテストです", 20),
    ("สวัสดีชาวโลก นี่คือการทดสอบระบบใหม่ที่จำได้ทุกอย่าง", 21),
    ("გამარჯობა მსოფლიო, ეს ახალი სისტემის გამოცდაა", 12),
)
NUMBERS = ("A room of 25 m²345, 1½ cups, ²³½①Ⅷ of 10⁻³, ٣٤٥٦٧٨ and ४५६७८९ 🎉", 46)
COUNTED = (ENGLISH, GERMAN, CHINESE, CODE, RUSSIAN, *OTHERS, NUMBERS)
"""Texts with the tokens that o200k_base counts."""

node = pytest.mark.skipif(not IS_THERE, reason="wants npm's gpt-tokenizer in .node (make test-conformance)")
words = st.sampled_from(sorted({word for text, _ in COUNTED for word in text.split(" ")}))
prose = st.lists(words, min_size=1, max_size=40).map(" ".join)
signs = "abcXYZÄöß'’ \n\t-_/=0123456789²³½①Ⅷ中文字かな한글מבאלनमไทยéñǅʰ\xad\ufeff🎉\u0301"
anything = st.one_of(prose, st.text(max_size=60), st.text(signs, max_size=60))


@pytest.fixture(scope="module")
def o200k() -> Iterator[O200k]:
    """Count as o200k_base does."""
    with O200k() as counter:
        yield counter


@pytest.mark.parametrize(("text", "tokens"), COUNTED)
def test_the_bound_is_the_truth_in_every_script(text: str, tokens: int) -> None:
    """Each token too many costs evidence; the counts are gpt-tokenizer's."""
    assert bound(text) == tokens


def test_a_very_long_word_costs_its_bytes_at_most() -> None:
    """Nobody writes one, and it must not take long."""
    assert bound("ab" * 50_000) == 100_000


@given(st.lists(st.text(max_size=30), max_size=4))
def test_nothing_costs_less_than_its_words(parts: list[str]) -> None:
    """And a text with more in it never less."""
    text = "\n".join(parts)
    assert bound(text) >= len(re.findall(r"(?<!\S)[A-Za-z]+(?!\S)", text))
    assert bound(text) <= len(text.encode(errors="replace"))
    assert bound(f"{text}\nword") > bound(text)


@given(st.lists(st.builds(Evidence, source=st.just("memory"), text=anything), max_size=12), st.integers(100, 400))
def test_a_block_keeps_its_budget(evidence: list[Evidence], most: int) -> None:
    """Whatever it is made of."""
    packed = pack(Candidates(evidence), most)
    assert packed.tokens == bound(packed.text) <= most


@node
@pytest.mark.conformance
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(texts=st.lists(anything, min_size=1, max_size=50))
def test_no_text_costs_more_than_its_bound(o200k: O200k, texts: list[str]) -> None:
    """By o200k_base itself: English, German, Chinese, code, and what nobody writes."""
    over = [text for text, tokens in zip(texts, o200k.count(texts), strict=True) if tokens > bound(text)]
    assert over == []


@node
@pytest.mark.conformance
@settings(deadline=None)
@given(st.lists(st.builds(Evidence, source=st.just("memory"), text=anything, title=anything), max_size=12))
def test_no_block_costs_more_than_it_says(o200k: O200k, evidence: list[Evidence]) -> None:
    """Lines that stand together cost no more than each alone."""
    packed = pack(Candidates(evidence), 400)
    assert o200k.count([packed.text])[0] <= packed.tokens


@node
@pytest.mark.conformance
def test_the_counts_above_are_right(o200k: O200k) -> None:
    """They are gpt-tokenizer's."""
    assert o200k.count([text for text, _ in COUNTED]) == [tokens for _, tokens in COUNTED]
