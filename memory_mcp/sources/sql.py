"""The kind `sql`: one read-only statement with `:query` and `:limit`, on SQLite or PostgreSQL.

Its columns are named `text`, `title`, `uri`, `time` and `score`; only `text` is needed, and others are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from typing import Annotated, Final, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, model_validator

from memory_mcp.domain.errors import SettingsError
from memory_mcp.domain.sources import SourceAnswer, SourceItem
from memory_mcp.sources.adapter import SourceAdapter, Toolbox
from memory_mcp.sources.items import score_of, text_of, time_of
from memory_mcp.sources.secrets import masked
from memory_mcp.sources.sections import SourceSection, read

COLUMNS: Final = ("text", "title", "uri", "time", "score")
_HOST: Final = re.compile(r"(?:\[[0-9a-fA-F:.]+\]|[\w.*-]+)(?::(?:\d{1,5}|\*+))?")
_PIECES: Final = re.compile(
    r"(?P<kept>'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|--[^\n]*|/\*.*?\*/|(?P<tag>\$\w*\$).*?(?P=tag)|::)"
    r"|:(?P<name>query|limit)\b|(?P<end>;)",
    re.DOTALL,
)
"""What a statement's parameters may not be looked for in, the parameters, and the end."""


def _one_statement(statement: str) -> str:
    statement = statement.strip().rstrip(";").strip()
    found = list(_PIECES.finditer(statement))
    if any(match["end"] for match in found):
        raise ValueError("give one statement")
    if not {"query", "limit"} & {match["name"] for match in found}:
        raise ValueError("a statement takes the question as :query, and the number of rows as :limit")
    if not re.match(r"(?:select|with|values|table)\b", _bare(statement), re.IGNORECASE):
        raise ValueError("give a statement that reads, such as SELECT body AS text FROM notes … LIMIT :limit")
    return statement


def _check_place(url: str) -> None:
    """Raise ValueError for an address whose user, password and host cannot be told apart for certain."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ValueError("url: its host is not a name or address") from error
    user, _, hosts = parts.netloc.rpartition("@")
    if "@" in parts.path + parts.fragment or (not user and "@" in parts.query):
        raise ValueError("url: write / ? and # in the user or password as %2F, %3F and %23")
    if hosts and not all(_HOST.fullmatch(host) for host in hosts.split(",")):
        raise ValueError("url: its host is not a name or address with a port")


def _bare(statement: str) -> str:
    """Return a statement without the comments before it."""
    return re.sub(r"\A(?:\s|--[^\n]*\n|/\*.*?\*/|\()+", "", statement, flags=re.DOTALL)


class SqlSection(SourceSection):
    """Keys of `[sources.NAME]` with `kind = "sql"`."""

    path: str = ""
    """A SQLite file."""
    url: str = ""
    """`postgresql://…`; its password belongs in a secret."""
    statement: Annotated[str, AfterValidator(_one_statement)]

    @model_validator(mode="after")
    def _one_database(self) -> Self:
        if bool(self.path) == bool(self.url):
            raise ValueError("give path for SQLite, or url for PostgreSQL")
        if self.url and not self.url.startswith(("postgresql://", "postgres://", "${")):
            raise ValueError("url: give postgresql://host/database")
        if self.url and not self.url.startswith("${"):
            _check_place(masked(self.url))
        return self

    @property
    def place(self) -> str:
        """The server and database, without user and password."""
        if self.url.startswith("${"):
            return "postgresql://…"
        parts = urlsplit(masked(self.url))
        return f"postgresql://{(parts.netloc or '…').rpartition('@')[2]}{parts.path}"


def numbered(statement: str) -> tuple[str, list[str]]:
    """Return a statement with `$1`, `$2` for its parameters, and their names; casts and texts stay as they are."""
    names: list[str] = []

    def number(found: re.Match[str]) -> str:
        if (name := found["name"]) is None:
            return found[0]
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}"

    return _PIECES.sub(number, statement), names


def answer(columns: Sequence[str], rows: Iterable[Sequence[object]], limit: int) -> SourceAnswer:
    """Return rows as items."""
    places = {name: columns.index(name) for name in COLUMNS if name in columns}
    items = [_item({name: row[place] for name, place in places.items()}) for row in rows]
    return SourceAnswer(tuple(items[:limit]), max(0, len(items) - limit))


def _item(row: Mapping[str, object]) -> SourceItem:
    return SourceItem(
        text_of(row.get("text")),
        text_of(row.get("title")),
        text_of(row.get("uri")),
        time_of(row.get("time")),
        score_of(row.get("score")),
    )


def create(name: str, given: Mapping[str, object], tools: Toolbox) -> SourceAdapter:
    """Return the source of a section.

    Raises:
        SettingsError: the section is wrong, or PostgreSQL's driver is not installed.
    """
    section = read(SqlSection, name, given)
    if section.path:
        from memory_mcp.sources.sql_sqlite import SqliteSource  # noqa: PLC0415 - apsw, where it is wanted

        return SqliteSource(name, section)
    if find_spec("asyncpg") is None:
        raise SettingsError(f"[sources.{name}]: PostgreSQL needs a driver; install memory-mcp[postgres]")
    from memory_mcp.sources.sql_postgres import PostgresSource  # noqa: PLC0415 - likewise asyncpg

    return PostgresSource(section, tools.fill)
