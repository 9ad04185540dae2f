from __future__ import annotations

import json
from collections.abc import Callable

from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st

from memory_mcp.provision.clients.entries import Entry
from memory_mcp.provision.clients.formats import section_of
from memory_mcp.provision.clients.json_text import JsonText
from memory_mcp.provision.clients.toml_text import TomlText

SECTION, NAME = "servers", "memory"
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00\x7f", exclude_categories=["Cc"]), max_size=8)
KEYS = st.one_of(TEXTS, st.sampled_from(["a", "//", "/*", "*/", ",", "}", '"', "\\", "\u2028", "ä"]))
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), TEXTS, KEYS)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=3
)
ENTRIES: st.SearchStrategy[Entry] = st.fixed_dictionaries(
    {"command": TEXTS, "args": st.lists(KEYS, max_size=3)},
    optional={"env": st.dictionaries(st.sampled_from(["A", "B"]), TEXTS, min_size=1)},
)
OTHERS = st.dictionaries(KEYS.filter(lambda key: key != SECTION), VALUES, max_size=2)
HELD: st.SearchStrategy[Entry] = st.sampled_from([{}, {"command": "x"}, {"url": "http://x", "args": ["/*", ",}"]}])
SERVERS = st.dictionaries(KEYS.filter(lambda key: key != NAME), HELD, min_size=1, max_size=3)
DOCUMENTS = st.one_of(
    OTHERS,
    OTHERS.map(lambda others: {**others, SECTION: {}}),
    st.builds(lambda others, servers: {**others, SECTION: servers}, OTHERS, SERVERS),
    st.builds(lambda others, servers: {SECTION: servers, **others}, OTHERS, SERVERS),
)

LAYOUTS = {
    False: st.sampled_from(["", " ", "\n", "\n\t", "\n  ", "\n    ", "\r\n  "]),
    True: st.sampled_from(["", " ", "\n", "\n  ", "// x\n", " // , }\n  ", '/* { " , */', "\n/* two\n lines */\n"]),
}


@st.composite
def written(draw: Callable[..., object], *, comments: bool) -> tuple[dict[str, object], str]:
    """Return a document, and a text of it in any layout."""
    document = draw(DOCUMENTS)
    assert isinstance(document, dict)

    def gap() -> str:
        return str(draw(LAYOUTS[comments]))

    def closed(members: list[str]) -> str:
        body = ",".join(members)
        return body + ("," + gap() if comments and members and draw(st.booleans()) else "")

    def text(value: object) -> str:
        if isinstance(value, dict):
            members = [f"{gap()}{json.dumps(key)}{gap()}:{gap()}{text(each)}{gap()}" for key, each in value.items()]
            return "{" + (closed(members) or gap()) + "}"
        if isinstance(value, list):
            return "[" + (closed([gap() + text(each) + gap() for each in value]) or gap()) + "]"
        return json.dumps(value, ensure_ascii=bool(draw(st.booleans())))

    return document, gap() + text(document) + gap()


def is_kept(old: str, new: str) -> bool:
    """Say whether all of the old text is in the new one, in its order."""
    left = iter(new)
    return all(char in left for char in old)


def check_json(form: JsonText, document: dict[str, object], text: str, entry: Entry, other: Entry) -> None:
    """Put an entry in, replace it, take it out: the meaning is right, and nothing of the old text is lost."""
    assert form.load(text) == document
    servers = section_of(document, SECTION)
    added = form.put(text, SECTION, NAME, entry)
    assert form.load(added) == {**document, SECTION: {**servers, NAME: entry}}
    assert is_kept(text, added)
    replaced = form.put(added, SECTION, NAME, other)
    assert form.load(replaced) == {**document, SECTION: {**servers, NAME: other}}
    assert is_kept(text, replaced)
    removed = form.drop(replaced, SECTION, NAME)
    assert form.load(removed) == {**document, SECTION: servers}
    if servers:
        assert removed == text


@given(written(comments=False), ENTRIES, ENTRIES)
@settings(max_examples=80)
def test_json(made: tuple[dict[str, object], str], entry: Entry, other: Entry) -> None:
    """In JSON of any layout an entry comes, changes and goes, and every other byte stays."""
    check_json(JsonText(), *made, entry, other)


@given(written(comments=True), ENTRIES, ENTRIES)
@settings(max_examples=120)
def test_json_with_comments(made: tuple[dict[str, object], str], entry: Entry, other: Entry) -> None:
    """So it does between comments and commas that stand anywhere."""
    check_json(JsonText(comments=True), *made, entry, other)


@given(written(comments=True), st.data())
@settings(max_examples=120)
def test_any_entry_can_be_taken_out(made: tuple[dict[str, object], str], data: st.DataObject) -> None:
    """An entry that the user wrote, wherever it stands, is taken out alone, and comments stay."""
    document, text = made
    servers = section_of(document, SECTION)
    assume(servers)
    name = data.draw(st.sampled_from(sorted(servers)))
    form = JsonText(comments=True)
    removed = form.drop(text, SECTION, name)
    assert form.load(removed) == {**document, SECTION: {key: each for key, each in servers.items() if key != name}}
    assert is_kept(removed, text)


TOML_KEYS = st.sampled_from(["a", "b", "c-d", "größe"])
BLOCKS = st.one_of(
    st.builds(lambda key: f'[{SECTION}."{key}"] # one\ncommand = "x" # why\nargs = [\n  "1", # first\n]\n', TOML_KEYS),
    st.builds(lambda key: f'[{SECTION}."{key}".env]\nA = "1"\n', TOML_KEYS),
    st.builds(lambda key: f'[other."{key}"]\nx = 1\n', TOML_KEYS),
    st.builds(lambda key: f'[[many."{key}"]]\ny = 1979-05-27T07:32:00Z\n', TOML_KEYS),
    st.just("# a comment\n"),
)


HEADS = st.sampled_from(["", "x = 1\n", "# mine\n\nx = 1 # one\n\n", f"{SECTION}.z.url = 'x' # z\n", "x = 1\r\n"])


@given(HEADS, st.lists(BLOCKS, unique=True), ENTRIES, ENTRIES)
@settings(max_examples=80)
def test_toml(head: str, blocks: list[str], entry: Entry, other: Entry) -> None:
    """In TOML an entry comes, changes and goes, and every line of the others stays as it was."""
    form, text = TomlText(), head + "\n".join(blocks)
    document = form.load(text)
    servers = section_of(document, SECTION)
    added = form.put(text, SECTION, NAME, entry)
    assert form.load(added) == {**document, SECTION: {**servers, NAME: entry}}
    assert is_kept(text, added)
    replaced = form.put(added, SECTION, NAME, other)
    assert form.load(replaced) == {**document, SECTION: {**servers, NAME: other}}
    assert is_kept(text, replaced)
    removed = form.drop(replaced, SECTION, NAME)
    assert {SECTION: {}, **form.load(removed)} == {SECTION: {}, **document}
    assert removed.rstrip("\r\n") == text.rstrip("\r\n")


@given(st.lists(BLOCKS, unique=True), st.lists(BLOCKS, unique=True), ENTRIES, ENTRIES)
@settings(max_examples=80)
def test_a_table_between_others(before: list[str], after: list[str], entry: Entry, other: Entry) -> None:
    """A table of ours that stands between others changes and goes alone, and the comments around it stay."""
    form, rest = TomlText(), [block for block in after if block not in before or block.startswith("#")]
    text = form.put("\n".join(before), SECTION, NAME, entry) + "\n" + "\n".join(rest)
    try:
        document = form.load(text)
    except ValueError:  # a table that is there twice
        reject()
    servers = section_of(document, SECTION)
    assert form.load(form.put(text, SECTION, NAME, other)) == {**document, SECTION: {**servers, NAME: other}}
    removed = form.drop(text, SECTION, NAME)
    others = {name: held for name, held in servers.items() if name != NAME}
    assert {SECTION: {}, **form.load(removed)} == {**document, SECTION: others}
    assert is_kept("".join(before).replace("\n", "") + "".join(rest).replace("\n", ""), removed)


def test_toml_in_one_line() -> None:
    """Where the servers are a table in one line, ours stands in it."""
    text = '# mine\nservers = { a = { url = "x" } } # all\n\n[tui]\nx = 1\n'
    added = TomlText().put(text, SECTION, NAME, {"command": "x", "env": {"A": "1"}})
    assert TomlText().load(added)[SECTION] == {"a": {"url": "x"}, NAME: {"command": "x", "env": {"A": "1"}}}
    assert TomlText().drop(added, SECTION, NAME) == text


def test_a_table_in_two_parts() -> None:
    """Where another table stands between ours and one within it, that one stays."""
    text = '[servers.memory]\ncommand = "x"\n\n[tui] # mine\nx = 1\n\n[servers.memory.env]\nA = "1"\n'
    changed = TomlText().put(text, SECTION, NAME, {"command": "y"})
    assert TomlText().load(changed) == {"servers": {NAME: {"command": "y"}}, "tui": {"x": 1}}
    removed = TomlText().drop(text, SECTION, NAME)
    assert TomlText().load(removed).get("tui") == {"x": 1}
    assert "[tui] # mine\nx = 1\n" in changed
    assert "[tui] # mine\nx = 1\n" in removed
