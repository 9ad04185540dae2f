"""What a tool is: a typed function of a call and its arguments, with a description and hints for the client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from memory_common.utf8 import NOT_UTF8
from memory_mcp.domain.errors import InvalidArgumentError, SettingsError
from memory_mcp.domain.principal import Principal, Reach, Scope
from memory_mcp.tools.json_text import is_left_out

if TYPE_CHECKING:
    from memory_mcp.tools.services import Services  # all parts of the program, not before the handshake


class Arguments(BaseModel):
    """The arguments of a tool; unknown ones are refused, common aliases are accepted."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=False)
    aliases: ClassVar[Mapping[str, str]] = {}
    """Names that clients use for ours; accepted, not advertised."""

    @property
    def is_timeless(self) -> bool:
        """Whether the same arguments mean the same tomorrow."""
        return True

    @classmethod
    def refuse_empty(cls, given: Mapping[str, object]) -> None:
        """Refuse an empty argument that must not be taken for one that was left out; most tools have none.

        Raises:
            InvalidArgumentError: names it.
        """


class Rendered(NamedTuple):
    """A result as clients are shown it."""

    text: str
    structured: dict[str, object]
    """As JSON; not to be changed."""


class Result(BaseModel):
    """The structured result of a tool."""

    model_config = ConfigDict(frozen=True)

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing that the same question may have a moment later."""
        return True

    @cached_property
    def rendered(self) -> Rendered:
        """Both forms, made once: an answer that is kept is not rendered again."""
        return Rendered(self.text(), self.structured())

    def text(self) -> str:
        """Say all that the model's next step needs, for clients that show text only."""
        raise NotImplementedError

    def structured(self) -> dict[str, object]:
        """Return the structured result as JSON."""
        return self.model_dump(mode="json", by_alias=True)


@dataclass(frozen=True, slots=True)
class Call:
    """Who calls, and what with."""

    services: Services
    principal: Principal
    progress: Callable[[int, int], Awaitable[None]]
    """Tells the client how many of how many are done."""
    is_bounded: bool = True
    """Whether the answer is for a model, and must cost it less than 10,000 tokens; a script gets all of it."""

    @property
    def reach(self) -> Reach:
        """The namespaces that the caller may name, and the one of a call that names none."""
        return self.principal.reach


ArgumentsT = TypeVar("ArgumentsT", bound=Arguments)
ResultT = TypeVar("ResultT", bound=Result)


@dataclass(frozen=True, slots=True)
class Tool(Generic[ArgumentsT, ResultT]):
    """A tool of the registry."""

    name: str
    description: str
    arguments: type[ArgumentsT]
    result: type[ResultT]
    run: Callable[[Call, ArgumentsT], Coroutine[Any, Any, ResultT]]
    read_only: bool = False
    destructive: bool = False
    idempotent: bool = False
    bulk: bool = False
    """Whether one call may do the work of many."""
    cached: bool = False
    """Whether nothing but a write changes the result, where it is whole."""
    reveals: bool = False
    """Whether it shows memories as well as changing them."""
    without_services: Callable[[SettingsError], ResultT] | None = None
    """Answers where the settings do not fit; most tools have nothing to say then."""

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """What a caller must be allowed."""
        if self.read_only:
            return (Scope.READ,)
        return (Scope.WRITE, Scope.READ) if self.reveals else (Scope.WRITE,)


AnyTool = Tool[Any, Any]  # a registry holds tools of every kind


def parse(model: type[ArgumentsT], raw: Mapping[str, object]) -> ArgumentsT:
    """Make arguments of a JSON object.

    Raises:
        InvalidArgumentError: names the first argument that is wrong, and what it may be.
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
    """Return the arguments by our names, without the optional ones that are null or blank."""
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
    import difflib  # noqa: PLC0415 - 8 ms, for a mistake alone

    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else f"choose one of: {', '.join(known)}"
