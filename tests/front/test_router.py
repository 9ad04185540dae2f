"""What queries want."""

from __future__ import annotations

import pytest

from memory_mcp.domain.names import folded
from memory_mcp.search.intent import Route, possible_tags, route
from memory_mcp.search.policy import DEFAULT_POLICY

ROUTE = DEFAULT_POLICY.route

TAGS = frozenset({"travel", "machine learning", "infra", "日記"})


def seen(query: str, tags: frozenset[str] = TAGS) -> Route:
    """Route a query in a store with some tags."""
    known = set(map(folded, tags))
    return route(query, frozenset(word for word in possible_tags(query, ROUTE) if folded(word) in known), ROUTE)


@pytest.mark.parametrize(
    ("query", "intent"),
    [
        ("getUserById", "identifier"),
        ("ticket OPS-3051", "identifier"),
        ("numpy 2.1.0", "identifier"),
        ("U.S. politics", "topic"),
        ("src/main/app.py", "identifier"),
        ("error 0x80070005", "identifier"),
        ("numpy.linalg.norm", "identifier"),
        ('"the quick brown fox"', "identifier"),
        ("#4821", "identifier"),
        ("#travel", "browse"),
        ("tag:infra", "browse"),
        ("everything tagged infra", "browse"),
        ("travel", "browse"),
        ("Machine Learning", "browse"),
        ("日記", "browse"),
        ("When did Anna move?", "time"),
        ("meetings last week", "time"),
        ("Was haben wir vorgestern besprochen?", "time"),
        ("wann zieht Anna um", "time"),
        ("quand est-ce que Paul arrive", "time"),
        ("¿Cuándo llega Ana?", "time"),
        ("quando parte il treno", "time"),
        ("em que ano ela nasceu", "time"),
        ("我们什么时候开会", "time"),
        ("いつ引っ越しましたか", "time"),
        ("what does Anna like", "question"),
        ("How does getUserById work?", "question"),
        ("wo wohnt Anna", "question"),
        ("pourquoi le serveur est lent", "question"),
        ("cómo se llama su hermana", "question"),
        ("dove abita Anna", "question"),
        ("quem gosta de chá", "question"),
        ("她喜欢什么", "question"),
        ("どこに住んでいますか", "question"),
        ("travel plans for Japan", "topic"),
        ("allergies", "topic"),
        ("iPhone charger", "topic"),
        ("was steht hier im Vertrag", "question"),
        ("COVID-19 and/or flu", "topic"),
    ],
)
def test_a_query_is_seen_for_what_it_wants(query: str, intent: str) -> None:
    """Shapes, first words, times and tags tell, in every language that the router knows."""
    assert seen(query).intent == intent


def test_a_word_is_a_tag_only_where_the_store_has_it() -> None:
    """The same query is a topic in a store without the tag."""
    assert seen("travel").tags == ("travel",)
    assert seen("travel", frozenset()) == Route("topic")
    assert seen("Travel #infra").tags == ("infra",)


@pytest.mark.parametrize(
    ("query", "tags"),
    [
        ("#यात्रा", ("यात्रा",)),
        ("#यात्रा।", ("यात्रा",)),
        ("everything tagged কলম.", ("কলম",)),
        ("#سفر #रेल", ("سفر", "रेल")),
        ("#می‌خواهم", ("می‌خواهم",)),
        ("#infra, #travel!", ("infra", "travel")),
        ("#旅行、#日記", ("旅行",)),
    ],
)
def test_a_tag_has_all_its_marks(query: str, tags: tuple[str, ...]) -> None:
    """Vowel signs and joiners do not end a tag, punctuation of any script does."""
    assert seen(query).tags == tags


def test_inches_are_no_quotation() -> None:
    """Marks behind digits or in code demand nothing; a quotation beside them does."""
    assert seen('27" or 32" monitor').quoted == ()
    assert seen('27" or "blue moon"').quoted == ("blue moon",)
    assert seen("'--force'").quoted == ("--force",)
    assert seen("`make docs`").quoted == ("make docs",)
    assert seen('"..."').quoted == ()


def test_quotes_are_what_must_stand_there() -> None:
    """Quoted words are taken out of quotes of any kind; in a question they demand nothing."""
    assert seen('"blue moon"').quoted == ("blue moon",)
    assert seen("„blauer Mond“ «deux»").quoted == ("blauer Mond", "deux")
    assert seen('Who sang "blue moon"?') == Route("question")
