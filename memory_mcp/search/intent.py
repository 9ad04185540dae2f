"""What a query wants, seen from its own words and from the tags that the store has."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from memory_mcp.domain.quotations import quotations
from memory_mcp.domain.spelling import plain_words
from memory_mcp.search.speech import (
    ASKS,
    ASKS_ANYWHERE,
    ASKS_WHEN,
    STATED_TIME,
    TAG_LETTER,
    TAGGED,
    WHEN_ANYWHERE,
    named,
    says,
)

if TYPE_CHECKING:
    from memory_mcp.search.policy import RoutePolicy

Intent = Literal["identifier", "question", "time", "browse", "topic"]

_CODE: Final = re.compile(r"`([^`]+)`|^\x27([^\x27]+)\x27$")
"""What stands in backticks, or is all of the query in single quotes."""
_HASHTAG: Final = re.compile(rf"(?:(?<=\s)|^)#(\d*[^\W\d]{TAG_LETTER}*)")
_TAG_FIELD: Final = re.compile(r"(?:(?<=\s)|^)(?:tags?|labels?):\s*(\"[^\"]+\"|[^\s,]+)", re.IGNORECASE)
_DATE: Final = re.compile(
    r"\d{1,2}\.\d{1,2}\.(\d\d)?\d\d|\d{1,4}[-/]\d{1,2}[-/]\d{1,4}|\d{1,2}[:h]\d{2}|(19|20)\d\d([-–/](19|20)?\d\d)?s?"
)
_IDENTIFIER: Final = re.compile(
    r"""
      .*[a-z0-9][A-Z].*               # camelCase
    | .*[A-Z]{2,}[a-z]+[A-Z].*        # HTTPServerFactory
    | (?=.*[^\W\d_])(?=.*\d).*        # letters and digits: E0277, v1.2, PROJ-14
    | .*\w_\w.* | _+\w+               # snake_case
    | .*(::|->|\(\)|[\\/@=<>{}$*]).*  # code, paths, addresses
    | \#\d+ | \d{3,} | \+?[\d-]{7,}  # numbers that name something
    | --?[a-z].* | \.\w+              # --flag, .env
    | .*\w\.\w.*                      # numpy.linalg, 3.11.4
    | X(-[A-Z]\w+)+ | [A-Z]{6,}       # X-Request-Id, EADDRINUSE
    """,
    re.VERBOSE,
)
_PLAIN: Final = re.compile(
    r"""
      ([^\W\d]\.)+[^\W\d]?\.? | [A-Z]+(/[A-Z]+)+ | \w{1,4}/\w{1,4}              # U.S., TCP/IP, and/or
    | \d+([.,]\d+)?([a-zA-Z]{1,3}|%|€)                                             # 5km, 2nd, 90s
    | [A-Z]\d{1,2} | COVID-19                                                      # B12
    | [ie][A-Z]\w+ | Ma?c[A-Z]\w+ | (You|Git|Linked|Java|Type|Face|Whats|Tik|Pay|Air|Power|Wi|One|Share|Chat)[A-Z]\w+
    """,
    re.VERBOSE,
)
"""What looks like an identifier and is an everyday word."""

_WORD: Final = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


@dataclass(frozen=True, slots=True)
class Route:
    """What a query wants."""

    intent: Intent
    quoted: tuple[str, ...] = ()
    """What must stand in a memory as it is, for an identifier."""
    names: tuple[str, ...] = ()
    """What a memory must spell to fit well, for an identifier."""
    tags: tuple[str, ...] = ()
    """Whose memories come first, for a browse."""


def possible_tags(query: str, policy: RoutePolicy) -> list[str]:
    """Return what in a query may be a tag: single words and some together."""
    text = unicodedata.normalize("NFC", query)
    explicit = _named_tags(text)
    words = text.split()
    if len(words) > policy.words_of_browse:
        return list(dict.fromkeys(explicit))
    bare = [word.strip(".,;:!?\"'()") for word in words]
    runs = [bare[i : i + n] for n in range(1, policy.words_of_tag + 1) for i in range(len(bare) - n + 1)]
    joined = (mark.join(run) for run in runs for mark in (" ", "-", "_"))
    return list(dict.fromkeys(tag for tag in (*explicit, *joined) if tag))


def route(query: str, known: frozenset[str], policy: RoutePolicy) -> Route:
    """Say what a query wants.

    Args:
        query: as the caller wrote it.
        known: those of `possible_tags` that are tags in the namespace.
        policy: how many words may stand beside a name or make a tag.
    """
    text = unicodedata.normalize("NFC", query).strip()
    asks = _asks(text)
    quoted, rest = _quoted(text)
    tags = _browsed(text, known, policy.words_of_tag)
    is_quoted = bool(quoted) and len(_plain(rest.split())) <= policy.words_beside_name
    names = _identifiers(text, policy)
    if not asks and not tags and (is_quoted or names):
        return Route("identifier", quoted, () if quoted else names)
    if tags:
        return Route("browse", tags=tags)
    if _is_of_time(text):
        return Route("time")
    return Route("question" if asks else "topic")


def _asks(text: str) -> bool:
    marked = text.rstrip("\"'”»)").endswith(("?", "？"))
    return marked or says(text, ASKS, ASKS_ANYWHERE, ASKS_WHEN, WHEN_ANYWHERE)


def _quoted(text: str) -> tuple[tuple[str, ...], str]:
    """Return what is quoted, code among it, and the rest of the query."""
    quoted, rest = quotations(text)
    code = ["".join(groups).strip() for groups in _CODE.findall(rest)]
    return (*quoted, *(words for words in code if plain_words(words))), _CODE.sub(" ", rest)


def _identifiers(text: str, policy: RoutePolicy) -> tuple[str, ...]:
    """Return the names in a text, where it has hardly anything else."""
    words = [word.strip(",;!\"'") for word in text.split()]
    names = [word for word in words if _is_name(word)]
    is_command = any(word.startswith("-") for word in names)
    few = len(words) - len(names) <= (policy.words_beside_command if is_command else policy.words_beside_name)
    return tuple(names) if few and not says(text, STATED_TIME) else ()


def _is_name(word: str) -> bool:
    if _DATE.fullmatch(word):
        return False
    return bool(_IDENTIFIER.fullmatch(word)) and not _PLAIN.fullmatch(word)


def _named_tags(text: str) -> list[str]:
    found = [*map(_to_its_end, _HASHTAG.findall(text)), *(tag.strip('"') for tag in _TAG_FIELD.findall(text))]
    return found + [_to_its_end(tag) for tag in named(text, TAGGED)]


def _to_its_end(tag: str) -> str:
    """Return the tag without the punctuation that ends its sentence; a tag ends with a letter, a mark or a digit."""
    ends = (place + 1 for place, character in enumerate(tag) if unicodedata.category(character)[0] in "LMN")
    return tag[: max(ends, default=0)] or tag


def _browsed(text: str, known: frozenset[str], longest: int) -> tuple[str, ...]:
    """Return the tags that are asked for: named as tags, or known ones that are all there is to the query."""
    if tags := _named_tags(text):
        return tuple(dict.fromkeys(_tag_of([tag], known) or tag for tag in tags))
    words = [word.strip(".,;:!?\"'()") for word in text.split()]
    found: list[str] = []
    while words:
        size = next((n for n in range(longest, 0, -1) if _tag_of(words[:n], known) and len(words) >= n), 0)
        if size:
            found.append(_tag_of(words[:size], known))
        elif _plain(words[:1]):
            return ()
        words = words[max(1, size) :]
    return tuple(found)


def _tag_of(words: list[str], known: frozenset[str]) -> str:
    joined = (mark.join(words) for mark in (" ", "-", "_"))
    return next((tag for tag in joined if tag in known), "")


def _plain(words: list[str]) -> list[str]:
    """Return the words that say something."""
    from memory_mcp.search.lexical.stop_words import FILLERS  # noqa: PLC0415 - the handshake needs the intents' names alone

    return [word for word in words if _WORD.search(word) and word.lower().strip(".,:") not in FILLERS]


def _is_of_time(text: str) -> bool:
    return says(text, ASKS_WHEN, WHEN_ANYWHERE, STATED_TIME)
