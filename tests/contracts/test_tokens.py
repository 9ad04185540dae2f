"""The tokens' port: what the file of tokens, the table of a database and the fake promise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from memory_mcp.domain.errors import ConflictError, NotFoundError
from memory_mcp.domain.ports import Tokens
from memory_mcp.domain.principal import Reach, Scope
from memory_mcp.storage.tokens import TokenFile
from tests.fakes.clock import FakeClock
from tests.fakes.tokens import FakeTokens
from tests.services.postgres import token_table

BOTH = (Scope.READ, Scope.WRITE)


@pytest.fixture(params=["file", "fake", pytest.param("table", marks=pytest.mark.services)])
def tokens(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> Iterator[Tokens]:
    """Give one implementation after the other, empty."""
    made: dict[str, Callable[[], Tokens]] = {
        "file": lambda: TokenFile(tmp_path / "tokens.json", lambda: now(clock)),
        "fake": lambda: FakeTokens(clock),
        "table": lambda: token_table(request.getfixturevalue("postgres"), lambda: now(clock)),
    }
    empty = made[request.param]()
    yield empty
    empty.close()


def now(clock: FakeClock) -> datetime:
    """Return the time of the clock."""
    return datetime.fromtimestamp(clock(), UTC)


def test_who_shows_a_token_is_known(tokens: Tokens, clock: FakeClock) -> None:
    """The secret names its token, with all that was said when it was made; its id and other words name none."""
    assert tokens.all() == []
    secret, token = tokens.create("laptop", BOTH, "work", None)
    other_secret, other = tokens.create("phone", (Scope.READ,), None, None)
    assert (tokens.holder(secret), tokens.holder(other_secret)) == (token, other)
    assert (token.name, token.scopes, token.namespace, token.expires_at) == ("laptop", BOTH, "work", None)
    assert token.created_at == now(clock)
    assert tokens.all() == [token, other]
    assert len({secret, other_secret, token.id, other.id}) == 4
    assert [tokens.holder(word) for word in ("", token.id, token.name, secret[:-1])] == [None] * 4


def test_the_principal_is_bound_to_the_tokens_namespace(tokens: Tokens) -> None:
    """Without one, the caller begins in the default namespace and reaches all."""
    _, bound = tokens.create("bound", BOTH, "work", None)
    _, free = tokens.create("free", BOTH, None, None)
    assert [
        (who.reach.namespace, who.reach.bound)
        for who in (bound.principal(Reach("home")), free.principal(Reach("home")))
    ] == [
        ("work", True),
        ("home", False),
    ]


def test_a_token_ends_when_it_expires(tokens: Tokens, clock: FakeClock) -> None:
    """It holds until that moment; afterwards it is listed still, and opens nothing."""
    secret, token = tokens.create("short", BOTH, None, now(clock) + timedelta(seconds=10))
    clock.advance(9)
    assert tokens.holder(secret) == token
    assert tokens.is_valid(token.id)
    clock.advance(1)
    assert tokens.holder(secret) is None
    assert not tokens.is_valid(token.id)
    assert tokens.all() == [token]


@pytest.mark.parametrize("by", ["name", "id"])
def test_a_revoked_token_opens_nothing(tokens: Tokens, by: str) -> None:
    """It is gone at once, by its name or its id; the others hold, and its name may be given again."""
    secret, token = tokens.create("lost", BOTH, None, None)
    kept_secret, kept = tokens.create("kept", BOTH, None, None)
    assert tokens.revoke({"name": token.name, "id": token.id}[by]) == token
    assert (tokens.holder(secret), tokens.is_valid(token.id)) == (None, False)
    assert (tokens.holder(kept_secret), tokens.is_valid(kept.id), tokens.all()) == (kept, True, [kept])
    again, _ = tokens.create("lost", BOTH, None, None)
    assert again != secret


def test_a_name_is_given_once(tokens: Tokens) -> None:
    """A second token of a name is a conflict, and the first one holds; what is not there cannot be revoked."""
    secret, token = tokens.create("laptop", BOTH, None, None)
    with pytest.raises(ConflictError, match="laptop"):
        tokens.create("laptop", (Scope.READ,), None, None)
    with pytest.raises(NotFoundError, match="desktop"):
        tokens.revoke("desktop")
    assert (tokens.holder(secret), tokens.all()) == (token, [token])
