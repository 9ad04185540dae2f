"""Cached answers that the fronts of a store share.

An answer is found under a digest of everything that it depends on. The store's state is the latest entry of its change
log: two states of one store have different ones, and so have two stores, even a copy of one that went on by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from embedder_api import __version__
from pydantic import BaseModel, ValidationError
from pydantic_core import to_json

from memory_mcp.application.request import ToolCall
from memory_mcp.domain.models import Event
from memory_mcp.domain.ports import SharedCache
from memory_mcp.tools.base import ArgumentsT, ResultT

FORM: Final = 1
"""Of the key and the value; raise it when either changes."""


def key_of(call: ToolCall[ArgumentsT, ResultT], state: Event) -> bytes:
    """Return what the answer of a call is found under while the store is in a state."""
    who = call.principal
    scopes, arguments = sorted(who.scopes), call.parsed.model_dump_json()
    about = (FORM, __version__, who.id, scopes, who.reach, who.is_source, call.tool.name, arguments, call.is_bounded)
    return sha256(to_json((about, state))).digest()


class SharedAnswers:
    """The answers of one front and of those beside it."""

    def __init__(self, cache: SharedCache) -> None:
        self._cache = cache

    async def get(self, call: ToolCall[ArgumentsT, ResultT], state: Event) -> ResultT | None:
        """Return an answer that this front or another has put there."""
        held = await self._cache.get(key_of(call, state))
        try:
            return None if held is None else call.tool.result.model_validate_json(held)
        except ValidationError:
            return None  # somebody else wrote there

    def put(self, call: ToolCall[ArgumentsT, ResultT], state: Event, result: ResultT) -> None:
        """Let all fronts have an answer."""
        self._cache.put(key_of(call, state), to_json(_fields(result)))


def _fields(value: object) -> object:
    """Return the fields of a result, those too that a client is not shown."""
    if isinstance(value, BaseModel):
        return {name: _fields(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, Mapping):
        return {key: _fields(each) for key, each in value.items()}
    return [_fields(each) for each in value] if isinstance(value, list | tuple) else value
