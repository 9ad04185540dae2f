"""Words found by their other spellings, through a real client, by keywords alone."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.e2e.client import RawClient

SAME: Sequence[Sequence[str]] = [
    # letters with strokes, ligatures, accents
    ("Łódź", "Lodz", "łódź", "LODZ"),
    ("Søren", "Soren"),
    ("Søren", "Soeren"),
    ("Ægir", "Aegir"),
    ("œuvre", "oeuvre"),
    ("Þór", "Thor"),
    ("København", "Kobenhavn"),
    ("København", "Koebenhavn"),
    ("Århus", "Arhus"),
    ("Århus", "Aarhus"),
    ("Diyarbakır", "Diyarbakir", "DİYARBAKIR"),
    ("İstanbul", "istanbul", "ISTANBUL"),
    ("Đoković", "Dokovic"),
    ("Đoković", "Djokovic"),
    ("Guðrún", "Gudrun"),
    ("Ħamrun", "Hamrun"),
    ("Ŧimi", "Timi"),
    ("Müller", "Mueller"),
    ("Müller", "Muller"),
    ("Straße", "STRASSE", "STRAẞE"),
    ("ﬁnance", "finance"),
    ("Ĳssel", "ijssel"),
    ("col·lecció", "coŀlecció", "colleccio"),
    ("Hawaiʻi", "Hawaii"),
    # points that may be left out, signs that are not seen
    ("بِسْمِ ٱللَّهِ", "بسم الله"),
    ("كتـــاب", "كِتَاب", "كتاب"),
    ("שָׁלוֹם", "שלום"),
    ("ܫܠܳܡܳܐ", "ܫܠܡܐ"),
    ("می‌خواهم", "میخواهم"),
    ("क्‍ष", "क्ष"),
    ("शरद्‌कालीन", "शरद्कालीन"),
    # digits
    ("२०२४", "2024", "٢٠٢٤", "২০২৪"),
    # names
    ("getUserName", "get_user_name", "get-user-name", "GetUserName", "get.user.name"),
    ("PROJ1234", "PROJ-1234", "PROJ_1234", "proj 1234", "Proj-1234"),
    ("nodejs", "node.js", "Node JS", "NodeJS"),
    ("wifi", "Wi-Fi", "wi fi", "WiFi"),
    ("e-mail", "email", "E-Mail"),
    ("co-operate", "cooperate"),
    ("2024-05-01", "20240501"),
    ("555-123-4567", "5551234567", "(555) 123-4567", "555 123 4567"),
    ("1,234,567", "1234567"),
    ("5 km", "5km"),
    ("O'Brien", "O’Brien", "OBrien"),
    ("TypeScript", "type_script"),
    ("GPT-4", "gpt4", "GPT 4"),
]


async def _found(client: RawClient, query: str, namespace: str = "n", mode: str = "keyword") -> list[str]:
    answer = await client.tool("memory_search", query=query, mode=mode, namespace=namespace, limit=50)
    return [hit["content"] for hit in answer["results"]]


@pytest.mark.parametrize("frame", ["{}", "the word {} stands here", "das Wort {} steht nicht hier, aber"])
async def test_either_spelling_finds_the_other(client: RawClient, frame: str) -> None:
    """Every spelling of a word finds the memories that hold any other, in whatever language they are filed."""
    for number, spellings in enumerate(SAME):
        for spelling in spellings:
            await client.tool(
                "memory_store", content=frame.format(spelling), namespace=f"n{number}", metadata={"s": spelling}
            )
    missed = [
        (asked, held)
        for number, spellings in enumerate(SAME)
        for asked in spellings
        for held in {frame.format(other) for other in spellings} - set(await _found(client, asked, f"n{number}"))
    ]
    assert not missed, missed


HASH = "3f2c9ab41d0e8f7766554433221100ffeeddccba"
DIFFERENT: Sequence[tuple[str, Sequence[str]]] = [
    ("C++", ("C++ has templates", "C has pointers", "C# has delegates")),
    ("C#", ("C# has delegates", "C has pointers", "C++ has templates")),
    ("C", ("C has pointers", "C++ has templates", "C# has delegates", "Objective-C has messages")),
    ("F#", ("F# is functional", "F is a grade", "C# has delegates")),
    (".NET", (".NET runs on Linux too", "the net caught a fish")),
    ("g++", ("g++ compiles it", "G is a key")),
    ("Objective-C", ("Objective-C has messages", "C has pointers", "the objective was met")),
    ("notepad++", ("notepad++ opens it", "a notepad lies there")),
    ("v1.2.3", ("v1.2.3 is out", "v3.2.1 is out", "v2.1.3 is out")),
    ("192.168.1.10", ("host 192.168.1.10", "host 10.1.168.192")),
    ("3.5", ("it is 3.5 long", "it is 5 of 3 long")),
    ("config.yaml", ("see config.yaml there", "a config of the yaml")),
    (HASH[:7], (f"fixed in {HASH}", "fixed in 3f2c9bb41d0e8f7766554433221100ffeeddccba")),
    (HASH, ("fixed in 3f2c9ab", "fixed in 3f2c9bb")),
    (HASH, (f"fixed in {HASH[:20]}", f"fixed in {HASH[:6]}0{HASH[7:20]}")),
    (HASH, (f"fixed in {HASH[:39]}", f"fixed in {HASH[1:39]}")),
    (HASH[:10], (f"fixed in {HASH.upper()}", "fixed in 3f2c9ac")),
    ("deadbee", ("fixed in deadbeef41d0e8f7766554433221100ffeeddccb", "fixed in deadbaef")),
    ("1234567", ("fixed in 1234567abc890abc", "fixed in 7654321abc890abc")),
    ("كَتَبَ", ("كتب رسالة", "كلب كبير")),
    ("किताब", ("किताब यहाँ है", "कीताब नहीं", "कताब नहीं")),
    ("কলম", ("কলম আছে", "কালম নেই", "কলমি শাক")),
    ("பல", ("பல மரம்", "பால் மரம்", "பல் மரம்")),
]


async def test_what_is_something_else_does_not_come_first(client: RawClient) -> None:
    """Of names that differ in a sign, a version or a vowel, the one that was asked for is first, in any language."""
    for number, (_, contents) in enumerate(DIFFERENT):
        for content in reversed(contents):
            await client.tool("memory_store", content=content, namespace=f"n{number}")
            await client.tool("memory_store", content=f"das ist nicht das und {content}", namespace=f"d{number}")
    for number, (query, [first, *_]) in enumerate(DIFFERENT):
        assert (await _found(client, query, f"n{number}"))[:1] == [first], query
        assert (await _found(client, query, f"d{number}"))[:1] == [f"das ist nicht das und {first}"], query


async def test_what_is_not_there_is_not_found(client: RawClient) -> None:
    """A letter without its signs, a word with another vowel sign or none, and the rest of a hash are no matches."""
    others = (
        "the end is back",
        "a base of data",
        "C is old",
        "F is a key",
        "कीताब कताब",
        "কালম কলমি",
        "பால் பல்",
        "3f2c9bb41d",
        "ಕವ ಕವಿ",
        "ދވހ",
        "བད",
    )
    for content in others:
        await client.tool("memory_store", content=content, namespace="n")
    for query in ("backend", "database", "C++", "F#", "किताब", "কলম", "பல", HASH[:7], "3f2c9b", "ಕಿವಿ", "ދިވެހި", "བོད"):
        assert await _found(client, query) == [], query


MONITOR = 'the 27" monitor is better than the 32" one'


UNQUOTED: Sequence[str] = [
    '27" or 32" monitor',
    '27" monitor',
    'monitor 27", 32"',
    "a 5'11\" man before a monitor",
    "12°34'56\" and a monitor",
    'printf("nothing here") monitor',
    'foo["nothing here"] monitor',
    'key="nothing here" monitor',
    '{"name": "nothing here"} monitor',
    'monitor \\"nothing here\\"',
    'monitor "',
    '"monitor',
    'monitor ""',
    'monitor "..."',
    "monitor's \"",
    '27 " monitor 32 "',
    "27” or 32” monitor",
    '"27" monitor',
]


@pytest.mark.parametrize("mode", ["keyword", "auto"])
async def test_marks_that_quote_nothing_demand_nothing(client: RawClient, mode: str) -> None:
    """Inches, feet, seconds, code and marks without a partner leave a query one of words."""
    await client.tool("memory_store", content=MONITOR, namespace="n")
    for query in UNQUOTED:
        assert await _found(client, query, mode=mode) == [MONITOR], query


QUOTED: Sequence[str] = [
    '"blue moon"',
    '27" or "blue moon"',
    'sing ("blue moon")',
    "„blue moon“",
    "“blue moon”",
    "”blue moon”",
    "«blue moon»",
    "« blue moon »",
    "»blue moon«",
    "「blue moon」",
    '"Blue, Moon"!',
    'the song: "blue moon".',
    '"blue moon"\'s tune',
]


@pytest.mark.parametrize("mode", ["keyword", "auto"])
async def test_what_is_quoted_stands_there_in_one_piece(client: RawClient, mode: str) -> None:
    """Quotation marks of any language demand their words in a row."""
    for content in ("a blue moon rose over the song", "the moon is blue", "moon blue"):
        await client.tool("memory_store", content=content, namespace="n")
    for query in QUOTED:
        assert await _found(client, query, mode=mode) == ["a blue moon rose over the song"], query


@pytest.mark.parametrize("mode", ["keyword", "auto"])
async def test_a_mark_that_makes_another_letter_is_not_left_out(client: RawClient, mode: str) -> None:
    """Of kana and of Cyrillic, a quotation demands the letter that it has, and near duplicates differ in it."""
    contents = ("駅でバスに乗った", "駅でパスに乗った", "это йод", "это иод", "його їжа", "иого іжа")
    for content in contents:
        await client.tool("memory_store", content=content, namespace="n")
    for query, content in (("バス", contents[0]), ("パス", contents[1]), ("йод", "это йод"), ("їжа", "його їжа")):
        assert await _found(client, f'"{query}"', mode=mode) == [content], query


SPELT_OTHERWISE: Sequence[tuple[str, str]] = [
    ('"soren kierkegaard"', "Søren Kierkegaard skrev det, og vi har det ikke"),
    ('"Søren Kierkegaard"', "Soren Kierkegaard wrote it"),
    ('"Aarhus kommune"', "Århus Kommune har det ikke, og vi kan se det"),
    ('"herr mueller"', "Herr Müller wohnt hier"),
    ('"Herr Müller"', "Das ist Herr Mueller und nicht der andere"),
    ('"reunion annulee"', "La réunion annulée par le directeur est à nous"),
    ('"lodz fabryczna"', "Łódź Fabryczna jest tam, gdzie nie ma nic"),
    ('"كتاب جديد"', "هذا كِتَابٌ جَدِيدٌ هنا"),
    ('"C++ templates"', "He likes C++ templates"),
    ('"東京タワー"', "昨日は東京タワーに行く"),
    ('"हिन्दी किताब"', "यह हिन्दी किताब है"),
]


@pytest.mark.parametrize("mode", ["keyword", "auto"])
async def test_a_quotation_may_be_spelt_otherwise(client: RawClient, mode: str) -> None:
    """What is quoted is found by its plain spelling too, whatever the language of the memory."""
    for content in (*(content for _, content in SPELT_OTHERWISE), "something else entirely"):
        await client.tool("memory_store", content=content, namespace="n")
    for query, content in SPELT_OTHERWISE:
        assert content in await _found(client, query, mode=mode), query
        assert "something else entirely" not in await _found(client, query, mode=mode)


@pytest.mark.parametrize("mode", ["keyword", "auto"])
async def test_a_name_that_is_not_stored_is_weak(client: RawClient, mode: str) -> None:
    """What shares its words is shown, and the answer says that it does not fit well."""
    for content in ("PROJ-1234: the importer drops a row", "v1.2.3 fixed the login", "getUserName returns null"):
        await client.tool("memory_store", content=content, namespace="n")
    for query, weak in (
        *(("PROJ-1235", True), ("v1.2.4", True), ("setUserName", True), ("commit 9c1d2e3f", True)),
        *(("PROJ1234", False), ("v1.2.3", False), ("get_user_name", False)),
    ):
        answer = await client.tool("memory_search", query=query, mode=mode, namespace="n")
        assert answer.get("weak", False) is weak, query


@pytest.mark.parametrize("mode", ["keyword", "auto"])
async def test_a_tag_is_browsed_by_keyword_too(client: RawClient, mode: str) -> None:
    """A memory whose content lacks the word is found by its tag."""
    await client.tool("memory_store", content="we went to Rome", tags=["travel"], namespace="n")
    await client.tool("memory_store", content="nothing of it", namespace="n")
    assert (await _found(client, "#travel", mode=mode))[:1] == ["we went to Rome"]
