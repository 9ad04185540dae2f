"""Words of every script, identifiers, and filters that leave little."""

from __future__ import annotations

import contextlib
import string
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_mcp.domain.models import Embedded, Filters
from memory_mcp.search.lexical.analyzer import MAX_TERM, Analyzer, IndexPolicy
from memory_mcp.search.lexical.query import QueryAnalyzer
from memory_mcp.search.lexical.stems import LANGUAGES, language_of
from memory_mcp.search.policy import DEFAULT_POLICY, LexicalPolicy
from memory_mcp.storage import postings
from memory_mcp.storage.sqlite.lexical import keywords, scoring
from memory_mcp.storage.sqlite.store import SqliteStore
from memory_mcp.storage.tokenizer import porter
from tests.contracts.shelf import HERE, keyword_search, new, put, worded

CHINESE = "我们下周去北京参观故宫博物院"
JAPANESE = "東京タワーはどこですか。白い猫がいる"
THAI = "พรุ่งนี้ฉันจะไปกินข้าวที่ตึกสูง"
KOREAN = "내일 서울에서 친구를 만나요"
CODE = "def getUserName(self): return snake_case_name  # HTTPServer v1.2.3 in src/app/main.py"
GERMAN = "Frau Müller wohnt in der Bahnhofstraße"
SPELT_OUT = "Herr Mueller fuhr auf der Strasse"
HOUSES = "Die Häuser stehen in den Wäldern"
INSURED = "Wir haben die Krankenversicherung gewechselt"
BYSTANDERS = ("nothing of that kind", "另外一件事情", "ラーメンを食べた", "หมาเห่า", "날씨가 좋아요", "x1y2z3a4b5c6")


@pytest.mark.parametrize(
    ("query", "content"),
    [
        *[(query, CHINESE) for query in ("北京", "故宫博物院", "去北京吗", "宫")],
        *[(query, JAPANESE) for query in ("東京タワー", "ﾀﾜｰ", "猫", "猫はどこ", "東")],
        *[(query, THAI) for query in ("กินข้าว", "ตึก", "พรุ่งนี้")],
        *[(query, KOREAN) for query in ("서울", "친구", "내일", "서울에서")],
        *[(query, CODE) for query in ("getUserName", "getusername", "user name", "snake_case_name", "snake case")],
        *[(query, CODE) for query in ("v1.2.3", "src/app/main.py", "main.py", "http server", "HTTPServer")],
        *[(query, GERMAN) for query in ("Müller", "mueller", "muller", "Bahnhofstrasse", "BAHNHOFSTRAẞE")],
        *[(query, SPELT_OUT) for query in ("Müller", "Mueller", "Straße", "strasse")],
        *[(query, HOUSES) for query in ("Haus", "haus am wald", "Wäldern", '"stehen in den wäldern"')],
        *[
            (query, INSURED)
            for query in ("Krankenversicherungen", "Versicherung", "Versicherungen", "Kranken", "kranke")
        ],
        *[(query, "La réunion a été annulée par le directeur") for query in ("réunions", "annuler", "reunion")],
        *[(query, "Los niños estaban jugando en el parque") for query in ("niño", "jugar", "parques")],
        *[(query, "Le città italiane sono bellissime") for query in ("italiana", "citta", "bellissimo")],
        *[(query, "Os meninos não gostam das reuniões") for query in ("menino", "gostar")],
        *[(query, "De katten slapen op de bank") for query in ("kat", "bank")],
        *[(query, "Barnen leker inte med bollarna") for query in ("barn", "boll", "leka")],
        *[(query, "Собаки бегали по парку") for query in ("собака", "парк", "парке")],
        *[(query, "Η συνάντηση ακυρώθηκε") for query in ("συνάντησης", "συναντηση")],
    ],
)
async def test_words_of_any_script_find_their_memory(store: SqliteStore, query: str, content: str) -> None:
    """Chinese, Japanese, Thai, Korean, German words and parts of identifiers find what holds them, and nothing else."""
    for other in BYSTANDERS:
        await put(store, other)
    await put(store, content)
    assert await worded(store, query) == [content]


async def test_a_part_of_a_compound_counts_half(store: SqliteStore) -> None:
    """The word itself comes before the compounds that it begins or ends, and a word that only looks alike is none."""
    for content in ("Das ist die Versicherungskarte", "Das ist die Versicherung", "Das ist die Krankenversicherung"):
        await put(store, content)
    await put(store, "Das ist die Versuchung")
    first, *others = await worded(store, "Versicherungen")
    assert first == "Das ist die Versicherung"
    assert sorted(others) == ["Das ist die Krankenversicherung", "Das ist die Versicherungskarte"]


async def test_languages_of_one_namespace_are_searched_at_once(store: SqliteStore) -> None:
    """The word of a query is looked for in every language that is there, and as it stands in what has none."""
    contents = {"Ich habe das Hotel in Paris bezahlt", "J'ai payé les hotels de Paris", "the hotels of Paris", "HOTEL"}
    for content in contents:
        await put(store, content)
    assert set(await worded(store, "hotel")) == contents
    assert set(await worded(store, '"hotel"')) == contents


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Mein Lieblingsessen", "de"),
        ("Passwort vom WLAN", "de"),
        ("weiß", "de"),
        ("Ana es mi hermana", "es"),
        ("Встреча перенесена на пятницу", "ru"),
        ("the restaurant Zum Löwen is where we met", None),
        ("Los Angeles", None),
        ("RSVP no later than 5pm", None),
        ("def main(): return 0", None),
        ("東京タワー", None),
        ("", None),
    ],
)
def test_a_text_tells_its_language_by_its_small_words(text: str, language: str | None) -> None:
    """A few function words are enough; names and code are in none."""
    assert language_of(text) == language


async def test_a_digest_is_no_identifier(store: SqliteStore) -> None:
    """The letters and digits between the borders of a digest are not words of their own."""
    await put(store, "commit a1b2c3d4e5f6")
    assert await worded(store, "b") == []
    assert await worded(store, "a1b2c3d4e5f6") == ["commit a1b2c3d4e5f6"]


async def test_phrases_of_a_script_without_spaces(store: SqliteStore) -> None:
    """What is quoted must be there in one piece, in scripts without spaces too."""
    await put(store, "東京タワーに行く")
    await put(store, "京都の東京都庁とタワー")
    assert await worded(store, '"東京タワー"') == ["東京タワーに行く"]


async def test_function_words_alone_find_too(store: SqliteStore) -> None:
    """A query of nothing but function words is one of words, and beside others they count little."""
    await put(store, "what is it with you and the who")
    await put(store, "quasar")
    assert await worded(store, "the who") == ["what is it with you and the who"]
    assert (await worded(store, "what is it with the quasar"))[0] == "quasar"


async def test_words_weigh_what_they_weigh_in_their_namespace(store: SqliteStore) -> None:
    """What another namespace holds changes neither the scores nor what is possible."""
    for content in ("apple pie", "apple juice", "pear juice"):
        await put(store, content)
    before = await keyword_search(store, "apple juice", HERE, 10)
    for number in range(50):
        await put(store, f"apple {number}", namespace="there")
    after = await keyword_search(store, "apple juice", HERE, 10)
    assert after.max_score == pytest.approx(before.max_score)
    assert list(after.scores) == list(before.scores)


async def _crowd(store: SqliteStore, size: int) -> None:
    """Store memories of which the first 20 carry a tag, the better the earlier."""
    for start in range(0, size, 5_000):
        items = [
            new(
                f"the meeting {n} about {'budget ' * (20 - n) if n < 20 else 'nothing'}",
                tags=("few",) if n < 20 else (),
            )
            for n in range(start, min(size, start + 5_000))
        ]
        await store.add([(item, Embedded((), None)) for item in items])


@pytest.mark.slow
async def test_a_filter_that_leaves_20_of_100_000_gives_these(store: SqliteStore) -> None:
    """However many memories hold the query's words, those with the tag are found, in order, and soon."""
    await _crowd(store, 100_000)
    few = Filters("here", tags=("few",))
    for query in ("meeting budget", "the meeting"):
        found = await worded(store, query, few, 100)
        assert len(found) == 20
    assert [int(content.split()[2]) for content in await worded(store, "meeting budget", few, 5)] == [0, 1, 2, 3, 4]
    assert len(await worded(store, "the meeting", limit=100)) == 100


async def test_common_words_score_the_same_whichever_way(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a common word gives is kept, counted in the terms of memories or looked up: their scores are the same."""
    tagged = [("few",) if n < 60 else () for n in range(2_000)]
    texts = [f"the meeting {n} in a meetinghouse, 猫咪 {'budget ' * (n % 4)}" for n in range(2_000)]
    await store.add([(new(text, tags=tags), Embedded((), None)) for text, tags in zip(texts, tagged, strict=True)])
    found = []
    for small, terms_per_posting in ((2_000, 0), (0, 10**9), (0, 0)):
        monkeypatch.setattr(scoring, "MAX_CACHED_NAMESPACE", small)
        monkeypatch.setattr(scoring, "TERMS_PER_POSTING", terms_per_posting)
        monkeypatch.setattr(scoring, "TERMS_PER_MEMORY", 0)
        matching = await keyword_search(store, "the meeting about the budget 5 猫", HERE, 50)
        found.append(matching.scores)
        assert len(await worded(store, "the meeting", Filters("here", tags=("few",)), 100)) == 60
    assert found[0] == pytest.approx(found[1])
    assert found[0] == pytest.approx(found[2])
    assert len(found[0]) == 50


async def test_what_is_kept_of_words_changes_no_answer(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search again finds the same, whether its words were kept, or dropped to make room for others."""
    await _crowd(store, 300)
    monkeypatch.setattr(postings, "MAX_CACHED_POSTINGS", 400)
    queries = ["the meeting", "budget 7", "nothing about", "the meeting"]
    cached = [await keyword_search(store, query, HERE, 400) for query in queries * 2]
    monkeypatch.setattr(scoring, "MAX_CACHED_NAMESPACE", 0)
    for query, matching in zip(queries * 2, cached, strict=True):
        scores = (await keyword_search(store, query, HERE, 400)).scores
        assert matching.scores == pytest.approx(scores)


async def test_two_words_are_one_as_the_policy_says(store: SqliteStore) -> None:
    """What a memory writes as one word is found by two, at the weight of other spellings, in queries that are short."""
    await put(store, "notebook shop")
    await put(store, "note pad")
    assert await worded(store, "note book") == ["note pad", "notebook shop"]
    in_full = LexicalPolicy(other_spelling_weight=1.0)
    assert await worded(store, "note book", policy=in_full) == ["notebook shop", "note pad"]
    assert await worded(store, "note book", policy=LexicalPolicy(paired_words=1)) == ["note pad"]


async def test_common_words_score_so_many_of_the_best_as_the_query_says(store: SqliteStore) -> None:
    """A memory that its common word would lift is not lifted when only better ones are scored by that word."""
    for letter in string.ascii_lowercase:
        await put(store, f"meeting with{letter}")
    for letter in string.ascii_lowercase[:11]:
        await put(store, f"budget with{letter}")
    await put(store, "budget meeting")
    for scored, first in ((4, "budget meeting"), (1, "budget witha")):
        policy = LexicalPolicy(cutoff_postings=12, cutoff_share=0.0, rescored_per_result=scored)
        assert (await worded(store, "budget meeting", limit=5, policy=policy))[0] == first


def test_half_of_what_a_word_gives_is_not_kept() -> None:
    """When reading the index breaks off, the next search reads it again."""
    cache = postings.PostingCache()

    def broken() -> Iterator[postings.Share]:
        yield 1, 0.5
        raise apsw.InterruptError

    with pytest.raises(apsw.InterruptError):
        cache.add("word", broken())
    assert cache.shares == {}


@given(st.text(max_size=40).flatmap(lambda text: st.sampled_from([text, f"ich und {text}", f"nous avons {text}"])))
def test_whatever_a_query_holds_is_a_term_of_the_same_content(text: str) -> None:
    """A content has every term that the same text looks for, in its language."""
    tokenize = porter(apsw.Connection(":memory:"))
    held = Analyzer(tokenize).content_terms(text)
    for wanted in QueryAnalyzer(tokenize, LANGUAGES, DEFAULT_POLICY.lexical).keyword_query(text).terms:
        if wanted.is_extra and wanted.weight < 1:
            continue  # what other contents may write instead
        if wanted.others or language_of(text) is None:  # German has no other spelling of a word with umlauts
            assert any(word.term in held for word in (wanted, *wanted.others)) or wanted.is_prefix
    assert not any(set(term) & set('" ') for term in held)


def test_hostile_texts_cost_no_more_than_others() -> None:
    """A million letters without a space become short terms, and no more of them than there are letters."""
    analyzer = Analyzer(porter(apsw.Connection(":memory:")))
    for text in (
        "x" * 10**6 + "ü",
        "aB" * 500_000,
        "a1" * 500_000,
        "猫" * 10**6,
        "가" * 10**6,
        '"' * 10**5,
        "und " * 25 + "x" * 10**6,
    ):
        made = analyzer.content_terms(text)
        assert len(made) <= len(text)
        assert all(len(term) <= MAX_TERM for term in made)


def test_a_text_of_two_languages_is_filed_under_the_same_one_in_every_process() -> None:
    """Sets of words have another order in each process, and the index of one is read by all."""
    script = "from memory_mcp.search.lexical.stems import language_of as of; print([of(text) for text in {texts!r}])"
    texts = ["foo ist und é e ser", "der den med por si", "no se og av di la", "een het die von"]
    told = {
        subprocess.run(
            [sys.executable, "-c", script.format(texts=texts)],
            env={"PYTHONHASHSEED": str(seed)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in range(6)
    }
    assert len(told) == 1


@pytest.mark.parametrize(
    ("policy", "content", "query"),
    [
        (IndexPolicy(identifier_parts=False), "def getUserName(self)", "user name"),
        (IndexPolicy(languages=False), INSURED, "Versicherung"),
    ],
)
async def test_an_index_can_be_made_anew_by_another_policy(
    tmp_path: Path, policy: IndexPolicy, content: str, query: str
) -> None:
    """What the policy leaves out finds nothing any more, whole words do, and the usual policy finds all again."""
    path = tmp_path / "memory.db"

    async def found(policy: IndexPolicy | None) -> tuple[list[str], list[str]]:
        if policy is not None:
            with contextlib.closing(apsw.Connection(str(path))) as db, db:
                keywords.rebuild(db, policy)
        store = SqliteStore(path)
        try:
            if policy is None:
                await put(store, content)
            return await worded(store, query), await worded(store, content.split()[1])
        finally:
            await store.close()

    assert await found(None) == ([content], [content])
    assert await found(policy) == ([], [content])
    assert await found(IndexPolicy()) == ([content], [content])
