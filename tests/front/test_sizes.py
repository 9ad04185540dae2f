"""What a text costs a model, how a budget is shared, and which part of a long content is shown."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_mcp.search.excerpts import excerpt, share
from memory_mcp.tools import fitting as fitting_module
from memory_mcp.tools.fitting import fit, from_beginning
from memory_mcp.tools.search import SearchHit
from memory_mcp.tools.sizes import CAUTION, LIMIT, fitting, shared, tokens

NOISE = b"".join(hashlib.sha256(bytes([number])).digest() for number in range(50))

COUNTED: list[tuple[str, int]] = [
    ("The committee decided on Tuesday that the boat house would be painted before summer. " * 50, 752),
    ("Die Krankenversicherungsbeiträge werden im nächsten Jahr voraussichtlich steigen. " * 50, 1202),
    ("Chính phủ đã quyết định tăng lương tối thiểu vùng thêm sáu phần trăm. " * 50, 2502),
    ("Правительство неожиданно объявило о повышении заработной платы. " * 50, 1552),
    ("Η κυβέρνηση ανακοίνωσε αιφνιδιαστικά την αύξηση του κατώτατου μισθού. " * 50, 4002),
    ("政府突然宣布从今年七月一日起提高最低工资标准。" * 50, 1302),
    ("政府は今年の七月一日から最低賃金を引き上げると突然発表しました。" * 50, 1702),
    ("정부는 올해 칠월 일일부터 최저임금을 인상한다고 갑자기 발표했다. " * 50, 2052),
    ("รัฐบาลประกาศขึ้นค่าแรงขั้นต่ำอย่างกะทันหัน" * 50, 3752),
    ("सरकार ने इस साल न्यूनतम वेतन बढ़ाने की घोषणा की। " * 50, 2602),
    ("أعلنت الحكومة بشكل مفاجئ زيادة الحد الأدنى للأجور. " * 50, 2302),
    ("😀🚀🧑‍💻🇩🇪❤️👩‍👩‍👧‍👦🎉🥑" * 50, 2002),
    ("for(let i=0;i<rows.length;i++){if(rows[i].id!=='x'){return{ok:!0}}}" * 50, 1752),
    (base64.b64encode(NOISE).decode(), 1529),
    (NOISE.hex(), 1872),
    ('He said "no", and "yes".\n\tThen: "ok"\n' * 50, 952),
    ("\x00\x01\x1b[31m\x07" * 50, 801),
    ("\n" * 1000, 2001),
]
"""Texts, and the tokens of their JSON as counted by the tokenizer that `sizes` names."""


@pytest.mark.parametrize(("text", "counted"), COUNTED)
def test_the_estimate_is_not_far_below_what_a_tokenizer_counts(text: str, counted: int) -> None:
    """It is at most as much too low as the room for contents allows for, and not useless on the other side."""
    assert CAUTION * counted <= tokens(text) <= 2.2 * counted


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=300), st.integers(0, 200))
def test_the_beginning_that_fits_is_the_longest(text: str, limit: int) -> None:
    """It costs no more than the limit, and one character more would."""
    size = fitting(text, limit)
    assert tokens(text[:size]) <= limit
    assert size == len(text) or tokens(text[: size + 1]) > limit


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
def test_no_text_costs_more_tokens_than_its_json_has_bytes(text: str) -> None:
    """A tokenizer of bytes cannot make more of it, so a higher estimate would be waste."""
    assert tokens(text) <= len(json.dumps(text, ensure_ascii=False).encode())


def test_a_long_text_is_not_counted_to_its_end() -> None:
    """It is enough that it costs more than an answer may."""
    assert tokens("x" * 1_000_000) == tokens("x" * 100_000) > LIMIT


@given(st.lists(st.integers(0, 1000), max_size=20), st.integers(0, 5000))
def test_a_budget_is_shared_fairly(wanted: list[int], budget: int) -> None:
    """Nobody gets more than was wanted or less than an equal share of the budget, and nothing is left over."""
    shares = shared(wanted, budget)
    assert sum(shares) == min(budget, sum(wanted))
    for want, got in zip(wanted, shares, strict=True):
        assert min(want, budget // len(wanted)) <= got <= want


EXCERPTS: list[tuple[str, str, str]] = [
    ("The zebra escaped from the zoo.", "when did zebras escape", "zebra escaped"),
    ("Der Schlüssel hängt hinter der Uhr.", "SCHLÜSSEL", "Schlüssel hängt"),
    ("Ticket PROJ-1234 is open.", "PROJ-1234", "PROJ-1234"),
    ("我们下周去北京旅游", "什么时候去北京？", "去北京"),
    ("จองตั๋วไปเชียงใหม่แล้ว", "ไปเชียงใหม่", "ไปเชียงใหม่"),
]

SPELLINGS: list[tuple[str, str]] = [
    ("PROJ1234", "PROJ-1234"),
    ("PROJ-1234", "PROJ1234"),
    ("proj 1234", "PROJ_1234"),
    ("getUserName", "get_user_name"),
    ("get_user_name", "getUserName"),
    ("get user name", "getUserName"),
    ("XMLHttpRequest", "xml_http_request"),
    ("nodejs", "Node.js"),
    ("wifi", "Wi-Fi"),
    ("Wi-Fi", "wifi"),
    ("database", "data base"),
    ("O'Brien", "OBrien"),
    ("v1.2.3", "v1.2.3"),
    ("9c1d2e3f4a5b6c7d8e9f", "9c1d2e3"),
    ("9c1d2e3", "9c1d2e3f4a5b6c7d8e9f"),
    ("C#", "C#"),
    ("C++", "C++"),
    ("Bo", "Bo"),
    ("café", "cafe"),
    ("cafe", "cafe\u0301"),
    ("Mueller", "Müller"),
    ("Müller", "Mueller"),
    ("Ålesund", "Aalesund"),
    ("Djokovic", "Đoković"),
    ("Straße", "STRASSE"),
    ("ＡＢＣＤ", "abcd"),
    ("Versicherung", "Krankenversicherung"),
    ("हिन्दी", "हिन्दी"),
    ("গ\u09cbলাপ", "গ\u09c7\u09beলাপ"),
    ("குடும்பம்", "குடும்பம்"),
    ("كتاب", "الكِتَابُ"),
    ("שלום", "שָׁלוֹם"),
    ("서울", "서울에서"),
]
"""What is asked for, and how a memory writes it."""


@pytest.mark.parametrize(("needle", "query", "seen"), EXCERPTS)
def test_an_excerpt_shows_where_the_querys_words_are(needle: str, query: str, seen: str) -> None:
    """Wherever in a long content that is, and with other endings and cases."""
    content = "lorem ipsum dolor sit amet " * 500 + needle + " consectetur adipiscing elit" * 500
    for size in (60, 300):
        part = excerpt(content, query, size)
        assert len(part) == size
        assert part in content
        assert seen in part


@pytest.mark.parametrize(("query", "written"), SPELLINGS)
@pytest.mark.parametrize("before", ["", "é ", "ß ﬁ "])
def test_an_excerpt_shows_words_in_other_spellings(query: str, written: str, before: str) -> None:
    """Whatever letters before it become longer or vanish in plain spelling."""
    filler = "They met about the abode in the lobby, and rainy seasons passed, decided on by none. " * 40
    part = excerpt(f"{before}{filler} {written} {filler}", query, 80)
    assert written in part
    assert share(part, query) >= 0.5 > share(filler[:80], query)


def test_an_excerpt_takes_no_part_of_a_word_for_a_short_one() -> None:
    """Bo is in none of these words, and neither is a number in a longer one."""
    text = "about bob elbow Bond 112345 12340 abacus "
    assert [share(text, query) for query in ("Bo", "1234", "bac")] == [0, 0, 0]


@given(st.text(max_size=80), st.text(max_size=20), st.integers(0, 100))
def test_an_excerpt_has_the_size_that_was_asked_for(content: str, query: str, size: int) -> None:
    """Whatever the content and the query are."""
    part = excerpt(content, query, size)
    assert len(part) == min(size, len(content))
    assert part in content


WORD = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(
    st.lists(
        st.builds(
            SearchHit,
            id=st.text("abc-", min_size=1, max_size=36),
            content=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60).map(lambda it: it * 9),
            passage=st.none() | WORD,
            tags=st.lists(WORD, max_size=9),
            type=WORD | st.just("note"),
            metadata=st.dictionaries(WORD, WORD | st.integers() | st.lists(st.none(), max_size=30), max_size=9),
            conversation_id=st.none() | WORD,
            created_at=st.datetimes(timezones=st.just(UTC)),
            updated_at=st.datetimes(timezones=st.just(UTC)),
            score=st.floats(0, 1),
            semantic=st.none() | st.floats(0, 1),
            keyword=st.none() | st.floats(0, 1),
            duplicates=st.lists(WORD, max_size=9),
        ),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from([0, 5_000, 8_000, 9_000]),
)
def test_what_is_small_is_shown_as_it_is(hits: list[SearchHit], taken: int) -> None:
    """An answer of small memories is what measuring each of their fields would make of it."""
    quick = fit(hits, from_beginning, reserve=taken)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(fitting_module, "SMALL", 10**9)
        assert fit(hits, from_beginning, reserve=taken) == quick
