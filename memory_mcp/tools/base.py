"""What a tool is: a typed function of a call and its arguments, with a description and hints for the client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from memory_common.utf8 import NOT_UTF8
from memory_mcp.domain.errors import InvalidArgumentError, SettingsError
from memory_mcp.domain.principal import Principal, Reach, Scope
from memory_mcp.tools.json_text import is_left_out

if TYPE_CHECKING:
    from memory_mcp.tools.services import Services  # imports the whole program, so not before the handshake


class Arguments(BaseModel):
    """The arguments of a tool; unknown ones are refused, common aliases are accepted."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=False)
    aliases: ClassVar[Mapping[str, str]] = {}
    """Aliases that clients use for our argument names; accepted but not advertised."""

    @property
    def is_timeless(self) -> bool:
        """Whether the same arguments mean the same thing tomorrow."""
        return True

    @classmethod
    def refuse_empty(cls, given: Mapping[str, object]) -> None:
        """Refuse an empty argument that must not count as left out; most tools have none.

        Raises:
            InvalidArgumentError: names the argument.
        """


class Rendered(NamedTuple):
    """A result in the two forms that clients get."""

    text: str
    structured: dict[str, object]
    """As JSON; do not change it."""


class Result(BaseModel):
    """The structured result of a tool."""

    model_config = ConfigDict(frozen=True)

    @property
    def is_whole(self) -> bool:
        """Whether the result is complete; an incomplete one must not be cached."""
        return True

    @property
    def concerns(self) -> Sequence[str]:
        """The ids of the memories and documents that it speaks of; they go into the audit."""
        return ()

    @cached_property
    def rendered(self) -> Rendered:
        """Both forms, made once: a cached answer is not rendered again."""
        return Rendered(self.text(), self.structured())

    def text(self) -> str:
        """Return all that the model needs for its next step, for clients that show only text."""
        raise NotImplementedError

    def structured(self) -> dict[str, object]:
        """Return the structured result as JSON."""
        return self.model_dump(mode="json", by_alias=True)


AskRoots = Callable[[], Awaitable[tuple[Path, ...]]]
"""Asks the client for the folders that it has opened; see `server/mcp/roots.py`."""


async def no_roots() -> tuple[Path, ...]:
    """Return none: this client has no folders of this machine."""
    return ()


@dataclass(frozen=True, slots=True)
class Call:
    """The context of a call: services, caller and bounds."""

    services: Services
    principal: Principal
    progress: Callable[[int, int], Awaitable[None]]
    """Reports (done, total) to the client."""
    is_bounded: bool = True
    """Whether the answer is for a model and must stay below 10,000 tokens; scripts get everything."""
    ask_roots: AskRoots = no_roots

    @property
    def reach(self) -> Reach:
        """The namespaces that the caller may name, and the default one."""
        return self.principal.reach


ArgumentsT = TypeVar("ArgumentsT", bound=Arguments)
ResultT = TypeVar("ResultT", bound=Result)


@dataclass(frozen=True, slots=True)
class Tool(Generic[ArgumentsT, ResultT]):
    """A tool: its function, its types, and hints for clients and middleware."""

    name: str
    description: str
    arguments: type[ArgumentsT]
    result: type[ResultT]
    run: Callable[[Call, ArgumentsT], Coroutine[Any, Any, ResultT]]
    read_only: bool = False
    destructive: bool = False
    idempotent: bool = False
    open_world: bool = False
    """Whether it may ask systems other than ours."""
    bulk: bool = False
    """Whether one call may do the work of many; it has a rate limit of its own."""
    cached: bool = False
    """Whether a complete result stays valid until the next write."""
    reveals: bool = False
    """Whether a tool that writes also returns memories, and so needs the read scope too."""
    without_services: Callable[[SettingsError], ResultT] | None = None
    """Answers when the settings are invalid; None for most tools."""

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """The scopes that a caller needs."""
        if self.read_only:
            return (Scope.READ,)
        return (Scope.WRITE, Scope.READ) if self.reveals else (Scope.WRITE,)


AnyTool = Tool[Any, Any]  # a registry holds tools of every kind


def parse(model: type[ArgumentsT], raw: Mapping[str, object]) -> ArgumentsT:
    """Parse a JSON object into arguments.

    Raises:
        InvalidArgumentError: names the first invalid argument and its bound.
    """
    try:
        return model.model_validate(_canonical(model, raw))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"]) or "arguments"
        if first["type"] == "missing":
            raise InvalidArgumentError(name, "is required") from error
        if first["type"] == "string_unicode":
            raise InvalidArgumentError(name, NOT_UTF8) from error
        raise InvalidArgumentError(name, first["msg"].removeprefix("Value error, ")) from error


def _canonical(model: type[Arguments], raw: Mapping[str, object]) -> dict[str, object]:
    """Return the arguments under their own names, without optional ones that are null or blank."""
    known = model.model_fields
    given: dict[str, object] = {}
    for name, value in raw.items():
        target = name if name in known else model.aliases.get(name)
        if target is None:
            raise InvalidArgumentError(name, f"is not an argument of this tool; {_nearest(name, list(known))}")
        if value is None or (target in given and is_left_out(target, value)):
            continue
        if target in given and not is_left_out(target, given[target]):
            raise InvalidArgumentError(name, f"is an alias of {target}; give only one of them")
        given[target] = value
    model.refuse_empty(given)
    return {name: value for name, value in given.items() if known[name].is_required() or not is_left_out(name, value)}


def _nearest(name: str, known: list[str]) -> str:
    import difflib  # noqa: PLC0415 - 8 ms, needed only for a mistake

    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else f"choose one of: {', '.join(known)}"
