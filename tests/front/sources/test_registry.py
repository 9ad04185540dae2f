"""Which sources there are, and who may ask them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from memory_mcp.domain.models import Condition
from memory_mcp.domain.principal import Principal, Reach, Scope, local_user
from memory_mcp.sources.checks import found
from memory_mcp.sources.registry import MAX_SOURCES
from tests.front.sources.conftest import configured

WIKI = {"kind": "http", "url": "http://wiki.test/"}
SECTIONS = {
    "wiki": WIKI,
    "team": WIKI | {"namespaces": ["team"]},
    "ops": WIKI | {"scope": "admin", "namespaces": "team"},
    "off": WIKI | {"enabled": False},
}


def token(scope: Scope, namespace: str | None = None) -> Principal:
    """Return the holder of a token, bound to a namespace or to none."""
    reach = Reach.bound_to(namespace) if namespace else Reach("default")
    return Principal("1", "token", frozenset({scope}), reach)


@pytest.mark.parametrize(
    ("caller", "names"),
    [
        (local_user("default"), ["wiki", "team", "ops"]),
        (token(Scope.READ), ["wiki", "team"]),
        (token(Scope.ADMIN), ["wiki", "team", "ops"]),
        (token(Scope.WRITE), []),
        (token(Scope.READ, "team"), ["team"]),
        (token(Scope.ADMIN, "team"), ["team", "ops"]),
        (token(Scope.ADMIN, "other"), []),
        (replace(local_user("default"), is_source=True), []),
    ],
)
def test_a_principal_sees_what_its_scopes_and_namespace_allow(caller: Principal, names: list[str]) -> None:
    """And nothing where another memory-mcp asks us as its source."""
    assert [source.name for source in configured(SECTIONS).reachable(caller)] == names


def test_a_broken_section_costs_only_itself() -> None:
    """Each is named with what fixes it; nothing of its values is repeated."""
    sources = configured(
        {
            "wiki": WIKI,
            "Bad Name": WIKI,
            "memory": WIKI,
            "document": WIKI,
            "text": "http://wiki.test/",
            "kindless": {"url": "x"},
            "unknown": {"kind": "htpp"},
            "typo": WIKI | {"headers": {"X": 3}, "key": "s3cret"},
        }
    )
    assert [source.name for source in sources.examined()[0]] == ["wiki"]
    problems = {each.name: each.problem for each in sources.examined()[1]}
    assert problems.keys() == {"Bad Name", "memory", "document", "text", "kindless", "unknown", "typo"}
    assert "choose one of: http, mcp, chroma, sql" in problems["unknown"]
    assert problems["memory"] == "[sources.memory]: this is what our own are called; choose another name"
    assert "s3cret" not in str(problems)
    finding = found(sources)
    assert finding.condition is Condition.DEGRADED
    assert "[sources.kindless] kind" in finding.cause


async def test_how_sources_do_is_told_to_who_may_ask_them() -> None:
    """Only an admin of all namespaces hears of a broken section, whose problem says what fixes it."""
    sources = configured(SECTIONS | {"unknown": {"kind": "htpp"}})
    told = await sources.statuses(local_user("default"))
    assert [each.name for each in told] == ["wiki", "team", "ops", "unknown"]
    assert (told[0].kind, told[0].target, told[0].problem, told[0].last_s) == ("http", "http://wiki.test/", "", None)
    assert told[1].namespaces == ("team",)
    assert told[3].figures is None
    assert "choose one of" in told[3].problem
    assert [each.name for each in await sources.statuses(token(Scope.ADMIN, "team"))] == ["team", "ops"]
    assert [each.name for each in await sources.statuses(token(Scope.READ))] == ["wiki", "team"]


def test_too_many_sources_are_refused() -> None:
    """Those beyond the limit, by name."""
    sources = configured({f"wiki{number}": WIKI for number in range(MAX_SOURCES + 1)})
    assert len(sources.examined()[0]) == MAX_SOURCES
    assert [each.name for each in sources.examined()[1]] == [f"wiki{MAX_SOURCES}"]


@pytest.mark.parametrize(
    ("caller", "names"),
    [
        (local_user("default"), "wiki, team, ops"),
        (token(Scope.ADMIN), "wiki, team, ops"),
        (token(Scope.READ), "wiki, team"),
        (token(Scope.READ, "team"), "team"),
        (token(Scope.ADMIN, "team"), "team, ops"),
        (token(Scope.ADMIN, "other"), ""),
    ],
)
def test_health_tells_a_caller_of_its_own_sources_alone(caller: Principal, names: str) -> None:
    """Of a broken section it tells admins of all namespaces: nobody knows whom it is for."""
    assert found(configured(SECTIONS), caller).detail == names
    is_told = "broken" in found(configured(SECTIONS | {"broken": {}}), caller).cause
    assert is_told == (caller.may(Scope.ADMIN) and not caller.reach.bound)
