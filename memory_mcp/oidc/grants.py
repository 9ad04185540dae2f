"""What the claims of a token grant: scopes and namespaces, by the setting `oidc_grants`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from memory_mcp.domain.models import MAX_NAMESPACE
from memory_mcp.domain.names import nfc
from memory_mcp.domain.principal import Reach, Scope
from memory_mcp.http_settings import ANY, PLACEHOLDER, Grant

Claims = Mapping[str, object]
MAX_REACHED: Final = 200
"""Namespaces of one caller."""
_WORDS: Final = frozenset({"scope", "scp"})
"""Claims that are a list of words in one string (RFC 8693, and Entra's)."""
_FILLS: Final = re.compile(r"[A-Za-z0-9_.@|:+=/-]{1,128}")
"""Values that may become a part of a namespace."""


def granted(claims: Claims, grants: Sequence[Grant], default: str) -> tuple[frozenset[Scope], Reach] | None:
    """Return what a token's claims grant together; None for nothing.

    A scope holds in the namespaces of its own grant alone: who may read one and write another may not write both.

    Args:
        claims: have been checked.
        grants: in order; the first namespace of the first that fits is the caller's default one.
        default: that of a caller who may use all.
    """
    scopes: set[Scope] = set()
    reached: dict[str, bool] = {}
    for grant in grants:
        if not _fits(claims, grant):
            continue
        may_write = not {Scope.WRITE, Scope.ADMIN}.isdisjoint(grant.scopes)
        named = list(_named(claims, grant))
        scopes.update(grant.scopes if named else ())
        for namespace in named:
            reached[namespace] = reached.get(namespace, False) or may_write
    if not reached or len(reached) > MAX_REACHED:
        return None
    return frozenset(scopes), _reach(reached, default)


def _reach(reached: Mapping[str, bool], default: str) -> Reach:
    """Return the reach of namespaces, each with whether it may be changed."""
    first = next((namespace for namespace in reached if namespace != ANY), default)
    only = None if ANY in reached else tuple(reached)
    if reached.get(ANY) or all(reached.values()):
        return Reach(first, only=only)
    return Reach(first, only=only, writable=tuple(name for name, may_write in reached.items() if may_write))


def _fits(claims: Claims, grant: Grant) -> bool:
    values = _values(claims, grant.claim)
    return bool(values) if grant.value == ANY else grant.value in values


def _values(claims: Claims, name: str) -> Sequence[str]:
    """Return the texts of a claim: one, those of a list, or the words of a scope."""
    found = _claim(claims, name)
    if isinstance(found, str):
        return found.split() if name in _WORDS else [found]
    return [value for value in found if isinstance(value, str)] if isinstance(found, list) else []


def _claim(claims: Claims, name: str) -> object:
    """Return a claim by its name, or else by the path to it."""
    if name in claims:
        return claims[name]
    found: object = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _named(claims: Claims, grant: Grant) -> Iterator[str]:
    """Yield the namespaces of a grant; one that wants a claim's value is left out where that is missing or unfit."""
    for namespace in grant.namespaces:
        wanted = PLACEHOLDER.fullmatch(namespace)
        if wanted is None:
            yield namespace
            continue
        value = _claim(claims, wanted["claim"])
        if isinstance(value, str) and _FILLS.fullmatch(value):
            filled = nfc(f"{wanted['before']}{value}")
            if len(filled) <= MAX_NAMESPACE:
                yield filled
