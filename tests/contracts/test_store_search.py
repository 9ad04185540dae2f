"""The port Snapshot: searches."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memory_mcp.domain.errors import InvalidArgumentError, SpaceMismatchError
from memory_mcp.domain.models import DOCUMENT, Chunk, DocumentFrequencies, Embedded, Filters
from memory_mcp.domain.ports import Store
from memory_mcp.search.policy import LexicalPolicy
from tests.contracts.shelf import (
    HERE,
    OTHER_SPACE,
    SPACE,
    document_frequencies,
    keyword_search,
    listed,
    near,
    nearest,
    new,
    put,
    towards,
    whole,
    worded,
)

DAY = datetime(2024, 5, 17, tzinfo=UTC)
SHELF: dict[str, dict[str, Any]] = {
    "plain": {"created_at": DAY - timedelta(microseconds=1), "tags": ("Straße", "ΛΌΓΟΣ", "I")},
    "red": {"tags": ("red",), "type": "fact", "conversation_id": "c1", "created_at": DAY},
    "blue": {
        "tags": ("blue", "1% ü"),
        "type": "fact",
        "conversation_id": "c2",
        "created_at": DAY + timedelta(days=1),
    },
    "both": {"tags": ("red", "blue"), "type": "plan", "conversation_id": "c1", "created_at": DAY + timedelta(days=2)},
    "true": {"metadata": {"v": True, "w": 1}},
    "false": {"metadata": {"v": False}},
    "one": {"metadata": {"v": 1}},
    "real": {"metadata": {"v": 1.5, "w": 1.0}},
    "text one": {"metadata": {"v": "1"}},
    "null": {"metadata": {"v": None}},
    "text null": {"metadata": {"v": "null"}},
    "empty text": {"metadata": {"v": ""}},
    "list": {"metadata": {"v": [1, "a", {"b": None}]}},
    "object": {"metadata": {"v": {"b": {"d": [2]}, "a": True}}},
    "text object": {"metadata": {"v": '{"a":true,"b":{"d":[2]}}'}},
    "odd names": {"metadata": {'a"b': 1, "c.d": 2, "$": 3, "e\\f": 4, "g\nh": 5, "ü": 6, "": 7, "0": 8}},
    "big": {"metadata": {"v": 2**53 + 1}},
    "bigger": {"metadata": {"v": 10**30}},
    "smaller": {"metadata": {"v": -(2**63) - 1}},
    "eq object": {"metadata": {"v": {"eq": 1}}},
}
CASES: list[tuple[dict[str, Any], set[str]]] = [
    ({"tags": ("red",)}, {"red", "both"}),
    ({"tags": ("red", "blue")}, {"red", "blue", "both"}),
    ({"tags": ("red", "blue"), "tag_match": "all"}, {"both"}),
    ({"tags": ("red", "red"), "tag_match": "all"}, {"red", "both"}),
    ({"tags": ("red", "none"), "tag_match": "all"}, set()),
    ({"tags": ("1% ü",)}, {"blue"}),
    ({"tags": ("RED",)}, {"red", "both"}),
    ({"tags": ("Red", "red"), "tag_match": "all"}, {"red", "both"}),
    ({"tags": ("1% \u00dc", "u\u0308")}, {"blue"}),
    ({"tags": ("1% u\u0308", "BLUE"), "tag_match": "all"}, {"blue"}),
    ({"tags": ("STRASSE", "\u03bb\u03cc\u03b3\u03bf\u03c3"), "tag_match": "all"}, {"plain"}),
    ({"tags": ("\u0131",)}, set()),
    ({"tags": ("re",)}, set()),
    ({"tag_match": "all"}, set(SHELF)),
    ({"documents": False, "tags": ("red",)}, {"red", "both"}),
    ({"documents": False, "type": DOCUMENT}, set()),
    ({"type": "fact"}, {"red", "blue"}),
    ({"type": "fac"}, set()),
    ({"conversation_id": "c1"}, {"red", "both"}),
    ({"conversation_id": ""}, set()),
    ({"before": DAY + timedelta(days=1), "after": DAY}, {"red"}),
    ({"after": DAY, "before": DAY}, set()),
    ({"after": DAY + timedelta(days=1), "type": "fact", "tags": ("blue",), "conversation_id": "c2"}, {"blue"}),
    ({"after": DAY + timedelta(days=2), "before": DAY + timedelta(days=2, microseconds=1)}, {"both"}),
    ({"metadata": {"v": True}}, {"true"}),
    ({"metadata": {"v": False}}, {"false"}),
    ({"metadata": {"v": 1}}, {"one"}),
    ({"metadata": {"v": 1.0}}, {"one"}),
    ({"metadata": {"v": 0}}, set()),
    ({"metadata": {"w": 1}}, {"true", "real"}),
    ({"metadata": {"v": 1.5}}, {"real"}),
    ({"metadata": {"v": "1"}}, {"text one"}),
    ({"metadata": {"v": None}}, {"null"}),
    ({"metadata": {"missing": None}}, set()),
    ({"metadata": {"v": "null"}}, {"text null"}),
    ({"metadata": {"v": ""}}, {"empty text"}),
    ({"metadata": {"v": [1, "a", {"b": None}]}}, {"list"}),
    ({"metadata": {"v": ["a", 1, {"b": None}]}}, set()),
    ({"metadata": {"v": {"b": {"d": [2]}, "a": True}}}, {"object"}),
    ({"metadata": {"v": {"a": True, "b": {"d": [2]}}}}, {"object"}),
    ({"metadata": {"v": {"a": True}}}, set()),
    ({"metadata": {"v": '{"a":true,"b":{"d":[2]}}'}}, {"text object"}),
    ({"metadata": {'a"b': 1, "c.d": 2, "$": 3, "e\\f": 4, "g\nh": 5, "ü": 6, "": 7, "0": 8}}, {"odd names"}),
    ({"metadata": {"v": 2**53 + 1}}, {"big"}),
    ({"metadata": {"v": 2**63 - 1}}, set()),
    ({"metadata": {"v": -(2**63)}}, set()),
    ({"metadata": {"v": {"in": [{"eq": 1}, {"$x": 10**30}]}}}, {"eq object"}),
    ({"metadata": {"v": {"eqs": 1}}}, set()),
    ({"metadata": {"v": True, "w": 2}}, set()),
    ({"metadata": {"v' OR 1=1 --": 1}}, set()),
    ({"metadata": {"v": {"gte": 1}}}, {"one", "real", "big", "bigger"}),
    ({"metadata": {"v": {"gt": 1}}}, {"real", "big", "bigger"}),
    ({"metadata": {"v": {"gte": 1, "lt": 1.5}}}, {"one"}),
    ({"metadata": {"v": {"lte": 1.5, "gt": 1.0}}}, {"real"}),
    ({"metadata": {"v": {"lt": 0}}}, {"smaller"}),
    ({"metadata": {"v": {"gte": "1"}}}, {"text one", "text null", "text object"}),
    ({"metadata": {"v": {"lt": "1"}}}, {"empty text"}),
    ({"metadata": {"v": {"in": [1, "1", None]}}}, {"one", "text one", "null"}),
    ({"metadata": {"v": {"in": [[1, "a", {"b": None}], True]}}}, {"list", "true"}),
    ({"metadata": {"v": {"in": []}}}, set()),
    ({"metadata": {"v": {"in": ["1"], "ne": "1"}}}, set()),
    ({"metadata": {"w": {"ne": 1}}}, set(SHELF) - {"true", "real"}),
    ({"metadata": {"v": {"ne": {"a": True, "b": {"d": [2]}}}}}, set(SHELF) - {"object"}),
    ({"metadata": {"v": {"gte": 1}, "w": {"lte": 1}}}, {"real"}),
    ({"metadata": {"missing": {"gte": 0}}}, set()),
]
REFUSED: list[tuple[object, str]] = [
    ({"gte": 1, "below": 2}, "unknown operator 'below'; choose one of: gte, gt, lte, lt, ne, in"),
    ({"$gte": 1}, "unknown operator '$gte'"),
    ({"$and": []}, "unknown operator '$and'"),
    ({"GTE": 1}, "unknown operator 'GTE'"),
    ({"eq": 1}, "unknown operator 'eq'"),
    ({">=": 1}, "unknown operator '>='"),
    ({}, "{} has no operator"),
    (2**63, "9223372036854775808 does not fit into 64 bits"),
    ({"lt": -(2**63) - 1}, "does not fit into 64 bits"),
    ({"ne": 10**30}, "does not fit into 64 bits"),
    ({"in": [1, 10**4000]}, "does not fit into 64 bits"),
    ({"in": "new"}, "'in' needs a list"),
    ({"lt": True}, "'lt' needs a number or a string"),
    ({"gt": None}, "'gt' needs a number or a string"),
    ({"lte": [1]}, "'lte' needs a number or a string"),
]
HOSTILE = [
    *('"', '""', '"word', "*", "word*", "^word", "NEAR(word common, 2)", "NEAR(", "content:word", "col : word"),
    *("-word", "+word", "{content}: word", "AND", "OR", "NOT", "word AND", "AND OR NOT", "word NOT word", "(word"),
    *("word)", "()", "'; DROP TABLE memories; --", "\\", "%", "_", "?1", ":x", "@x", "\0", "word\0common", "\ufeff"),
    *("🙂", "e\u0301", "\u0301\u0302", "", " ", "\n", "word " * 2_000, "x" * 10_000, "𠀀" * 10_000),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case[0]))
async def test_every_way_to_find_uses_the_same_filters(store: Store, case: tuple[dict[str, Any], set[str]]) -> None:
    """Lists, both searches and deletions agree on which memories the filters mean."""
    items = [new(f"word {name}", **fields) for name, fields in SHELF.items()]
    await store.add([(item, whole(item.content, towards(place))) for place, item in enumerate(items)])
    given, names = case
    filters = Filters("here", **given)
    expected = {f"word {name}" for name in names}
    page = await store.read(lambda it: it.page(filters, limit=100, cursor=None))
    assert {memory.content for memory in page.memories} == expected
    assert page.total == len(expected)
    assert set(await near(store, filters, 100)) == expected
    assert set(await worded(store, "word", filters, 100)) == expected
    to_delete = await store.delete(None, filters, dry_run=False)
    assert len(to_delete) == len(expected)
    assert len(await listed(store)) == len(SHELF) - len(expected)


@pytest.mark.parametrize(("asked", "problem"), REFUSED)
async def test_a_comparison_that_is_none_is_refused(store: Store, asked: object, problem: str) -> None:
    """An unknown operator beside known ones, or an operand that does not fit, is named with its member."""
    await put(store, "word", metadata={"v": 1})
    with pytest.raises(InvalidArgumentError, match=r"metadata\.v") as refusal:
        await store.read(lambda it: it.page(Filters("here", metadata={"v": asked}), limit=10, cursor=None))
    assert problem in str(refusal.value)


async def test_what_is_quoted_must_be_there_as_it_stands(store: Store) -> None:
    """All words of a quoted part must follow each other; other words of the query only rank."""
    for content in ("the exact phrase is here", "here the phrase is exact", "an exact copy of the phrase"):
        await put(store, content, tags=(content[:2],))
    assert await worded(store, '"exact phrase"') == ["the exact phrase is here"]
    assert await worded(store, 'copy "Exact, Phrase" unheard') == ["the exact phrase is here"]
    assert set(await worded(store, '"exact" phrase')) == set(await listed(store))
    assert await worded(store, '"the phrase" "is exact"') == ["here the phrase is exact"]
    assert await worded(store, '"phrase exact"') == []
    assert await worded(store, '"the phrase"', Filters("here", tags=("an",))) == ["an exact copy of the phrase"]
    assert len(await worded(store, 'exact phrase"')) == 3
    assert len(await worded(store, 'exact 27" copy, 32" phrase')) == 3
    assert await worded(store, '27" or „exact phrase“') == ["the exact phrase is here"]


async def test_a_filtered_search_is_full_though_thousands_are_nearer(store: Store) -> None:
    """As many results come as were asked for when that many match, however many others are better."""
    crowd = [(new(f"apple apple crowd {n}"), whole("apple", towards(5 + n / 200))) for n in range(5_000)]
    few = [
        (new(f"far {n} apple with many other words about it", tags=("few",)), whole("apple", towards(30 + n)))
        for n in range(12)
    ]
    await store.add([*crowd[:2_500], *few, *crowd[2_500:]])
    filters = Filters("here", tags=("few",))
    expected = [item.content for item, _ in few]
    assert await near(store, filters, 10) == expected[:10]
    assert await near(store, filters, 100) == expected
    assert len(await worded(store, "apple", filters, 10)) == 10
    assert set(await worded(store, "apple", filters, 100)) == set(expected)
    assert await near(store, limit=3) == ["apple apple crowd 0", "apple apple crowd 1", "apple apple crowd 2"]


async def test_a_rare_word_elsewhere_hides_no_common_one(store: Store) -> None:
    """A query's common word finds memories though a rarer one is held only by memories that the filters leave out."""
    await store.add([(new(f"meeting {n}", tags=("m",) if n < 20 else ()), whole("m")) for n in range(1_200)])
    await put(store, "zebra", namespace="there")
    await put(store, "zebra here")
    assert len(await worded(store, "meeting zebra", Filters("here", tags=("m",)))) == 10
    found = await worded(store, "meeting zebra")
    assert found[0] == "zebra here"
    assert len(found) == 10


async def test_the_nearest_come_first_with_their_cosine(store: Store) -> None:
    """The order is by cosine, whatever the length of the vectors, and scores lie between 0 and 1."""
    for degrees in (60, 0, 180, 30, 90):
        await put(store, f"at {degrees}", towards(degrees))
    matches = await nearest(store, towards(0), SPACE, HERE, 10)
    assert await near(store) == ["at 0", "at 30", "at 60", "at 90", "at 180"]
    assert [match.score for match in matches] == pytest.approx([1, 0.866, 0.5, 0, 0], abs=1e-3)
    assert all(0 <= match.score <= 1 and match.passage is None for match in matches)
    assert await near(store, limit=2) == ["at 0", "at 30"]
    assert (await near(store, degrees=100))[0] == "at 90"


async def test_a_memory_scores_as_its_best_passage(store: Store) -> None:
    """A memory is found once, as its nearest passage, whose place is told where there are several."""
    content = "first second third"
    parts = (Chunk(0, 5, towards(80)), Chunk(6, 12, towards(10)), Chunk(13, 18, towards(40)))
    await store.add([(new(content), Embedded(parts, SPACE))])
    await put(store, "single", towards(20))
    best, single = await nearest(store, towards(0), SPACE, HERE, 10)
    assert (best.passage, single.passage) == ((6, 12), None)
    assert [best.score, single.score] == pytest.approx([0.985, 0.940], abs=1e-3)
    [other, _] = await nearest(store, towards(80), SPACE, HERE, 10)
    assert other.passage == (0, 5)


async def test_a_part_that_waits_makes_a_memory_have_passages(store: Store) -> None:
    """The place of a passage is told though the other one has no vector yet."""
    await store.add([(new("first second"), Embedded((Chunk(0, 5, towards(0)), Chunk(6, 12)), SPACE))])
    [match] = await nearest(store, towards(0), SPACE, HERE, 10)
    assert match.passage == (0, 5)


async def test_a_memory_of_many_passages_leaves_room_for_others(store: Store) -> None:
    """Thousands of near passages of one memory are one result, and the next memories follow."""
    long = "x" * 9_000
    parts = tuple(Chunk(place, place + 1, towards(place / 9_000)) for place in range(9_000))
    await store.add([(new(long), Embedded(parts, SPACE))])
    for degrees in (20, 10, 30):
        await put(store, f"at {degrees}", towards(degrees), tags=("t",))
    assert await near(store, limit=3) == [long, "at 10", "at 20"]
    assert await near(store) == [long, "at 10", "at 20", "at 30"]
    assert await near(store, Filters("here", tags=("t",))) == ["at 10", "at 20", "at 30"]


async def test_words_find_memories_best_first(store: Store) -> None:
    """More words of the query and rarer ones rank higher, and memories without any are not found."""
    await put(store, "the quick brown fox")
    await put(store, "the quick red dog")
    await put(store, "the slow snail")
    await put(store, "nothing of it")
    assert (await worded(store, "quick fox"))[0] == "the quick brown fox"
    assert set(await worded(store, "quick fox")) == {"the quick brown fox", "the quick red dog"}
    assert (await worded(store, "the snail"))[0] == "the slow snail"
    assert await worded(store, "unheard") == []
    assert await worded(store, "fox unheard") == ["the quick brown fox"]
    assert len(await worded(store, "the", limit=2)) == 2
    found = await keyword_search(store, "the quick fox", HERE, 10)
    scores = list(found.scores.values())
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= found.max_score for score in scores)


async def test_a_search_tells_how_many_of_its_words_the_namespace_has(store: Store) -> None:
    """Function words count as well, wherever they stand; another namespace's do not, nor do other spellings."""
    await put(store, "the quick brown fox")
    await put(store, "Where is the dog?")
    shares = {"where is the fox": 1, "the fox war da": 1 / 2, "wo ist der fuchs": 0, "": 1, "getFox": 0}
    for query, share in shares.items():
        assert (await keyword_search(store, query, HERE, 10)).known == pytest.approx(share), query
    assert (await keyword_search(store, "the fox", Filters("elsewhere"), 10)).known == 0


@pytest.mark.parametrize("query", ["ZOË", "zoe", "Zoë!", "(zoë)", "who is zoë?"])
async def test_words_are_found_in_any_case_and_accent(store: Store, query: str) -> None:
    """Case, accents and punctuation of the query do not matter."""
    await put(store, "I met Zoë.")
    assert await worded(store, query) == ["I met Zoë."]


@pytest.mark.parametrize("query", HOSTILE, ids=lambda query: repr(query[:20]))
async def test_a_query_is_words_never_syntax(store: Store, query: str) -> None:
    """Operators, quotes and SQL in a query are looked for as the words that they hold, and raise nothing."""
    await put(store, "a word in common")
    await put(store, "another thing")
    found = await worded(store, query)
    assert found == (["a word in common"] if "word" in query else [])
    assert await listed(store) == ["another thing", "a word in common"]


SEPARATORS = st.sampled_from([" ", "\n", ", ", "\0", " - ", "/", "。"])
WORDS = st.text(  # but New Tai Lue vowels and Vedic signs, which SQLite's tables have as marks
    st.characters(categories=("L", "N"), exclude_characters=[*map(chr, range(0x19B0, 0x19CA)), "\u1cf2", "\u1cf3"]),
    min_size=1,
    max_size=12,
).filter(lambda word: any(unicodedata.category(letter)[0] in "LN" for letter in unicodedata.normalize("NFKC", word)))


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(WORDS, min_size=1, max_size=8), separator=SEPARATORS)
async def test_a_memory_is_found_by_each_of_its_words(store: Store, nul: str, words: list[str], separator: str) -> None:
    """Whatever the script, a word of a content finds it."""
    memory = await put(store, separator.replace("\0", nul).join(words))
    for word in words:
        assert memory.key in (await keyword_search(store, word, HERE, 1_000)).scores


async def test_document_frequencies_count_memories_with_each_word(store: Store) -> None:
    """Each word but function words is counted in the namespace's live memories, under the spelling of the query."""
    await put(store, "Zoë likes tea")
    await put(store, "zoe likes coffee")
    await put(store, "Zoë", namespace="there")
    gone = await put(store, "gone tea")
    await store.delete([gone.id], HERE, dry_run=False)
    frequencies = await document_frequencies(store, "what tea does Zoe drink", HERE.namespace)
    assert frequencies == DocumentFrequencies(2, {"tea": 1, "Zoe": 2, "drink": 0})
    assert await document_frequencies(store, "what is it", HERE.namespace) == DocumentFrequencies(2, {})
    assert await document_frequencies(store, "tea", "nowhere") == DocumentFrequencies(0, {})


async def test_a_namespace_tells_its_languages(store: Store) -> None:
    """What live memories are written in but English, in this namespace alone, is what its queries are looked for in."""
    await put(store, "Ich habe das Hotel in Paris bezahlt")
    await put(store, "I paid the hotel in Paris")
    gone = await put(store, "J'ai payé les hôtels de Paris")
    await put(store, "Ho pagato l'albergo che è a Parigi", namespace="there")
    assert await store.read(lambda it: it.languages("here")) == ("de", "fr")
    await store.delete([gone.id], HERE, dry_run=False)
    assert await store.read(lambda it: it.languages("here")) == ("de",)
    assert await store.read(lambda it: it.languages("there")) == ("it",)
    assert await store.read(lambda it: it.languages("nowhere")) == ()


async def test_a_query_weighs_its_words(store: Store) -> None:
    """What a word counts is the query's to say: a function word that counts in full outweighs a rarer word."""
    await put(store, "this one is about you and your and you")
    await put(store, "quasar")
    await put(store, "quasar again")
    assert (await worded(store, "you your quasar"))[0] == "quasar"
    in_full = LexicalPolicy(function_word_weight=1.0)
    assert (await worded(store, "you your quasar", policy=in_full))[0] == "this one is about you and your and you"


async def test_compare_scores_the_memories_that_are_named(store: Store) -> None:
    """Memories are compared whatever their namespace, as `nearest` would, and those without a vector are left out."""
    one = await put(store, "one", towards(0))
    two = await put(store, "two", towards(60), namespace="there")
    behind = await put(store, "behind", towards(180))
    bare, gone = await put(store, "bare"), await put(store, "gone", towards(0))
    parts = (Chunk(0, 5, towards(80)), Chunk(6, 12, towards(30)), Chunk(13, 18))
    await store.add([(new("first second third", id="parts"), Embedded(parts, SPACE))])
    long = await store.get("parts", "here")
    await put(store, "not asked for", towards(0))
    await store.delete([gone.id], HERE, dry_run=False)
    keys = [memory.key for memory in (bare, one, two, behind, gone, long)]
    found = {
        match.key: match
        for match in await store.read(lambda it: it.everywhere().compare(towards(0), SPACE, [*keys, 99_999]))
    }
    assert {key: match.score for key, match in found.items()} == pytest.approx(
        {one.key: 1, two.key: 0.5, behind.key: 0, long.key: 0.866}, abs=1e-3
    )
    assert [found[memory.key].passage for memory in (one, long)] == [None, (6, 12)]
    assert await store.read(lambda it: it.everywhere().compare(towards(0), SPACE, [])) == []
    with pytest.raises(SpaceMismatchError, match="space-a"):
        await store.read(lambda it: it.everywhere().compare(towards(0), OTHER_SPACE, keys))


async def test_a_snapshot_lists_and_counts(store: Store) -> None:
    """A page, the space and the queue are asked for together, of one moment."""
    await put(store, "a word", towards(10))
    await put(store, "another word")
    read = await store.read(lambda it: (it.page(HERE, limit=1, cursor=None), it.space(), it.queue("here")))
    assert (read[0].total, read[1], read[2].pending) == (2, SPACE, 1)
