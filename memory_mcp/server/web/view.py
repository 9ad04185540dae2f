"""What a view is: an address, what it shows, and what it can do. `views/` has one file for each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from memory_mcp.application.dispatcher import Dispatcher, GetServices
from memory_mcp.application.request import Request, RequestKind, ToolCall
from memory_mcp.domain.errors import ForbiddenError
from memory_mcp.domain.ports import Tokens
from memory_mcp.domain.principal import Principal, Reach, Scope
from memory_mcp.server.web.operations import Operation, Operations, OperationWork
from memory_mcp.server.web.rendering import Templates
from memory_mcp.server.web.uploads import Uploads
from memory_mcp.settings import Settings
from memory_mcp.tools import why_left_out
from memory_mcp.tools.base import Arguments, ArgumentsT, ResultT, Tool

if TYPE_CHECKING:
    from memory_mcp.tools.services import Services

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Visit:
    """A request of a signed-in browser: who asks, and all that a view may use."""

    principal: Principal
    settings: Settings
    dispatcher: Dispatcher
    services: GetServices
    templates: Templates
    tokens: Tokens
    operations: Operations
    uploads: Uploads
    is_allowed: Callable[[], bool]
    """Whether the caller's token still holds."""

    @property
    def reach(self) -> Reach:
        """The namespaces that the caller may name, and the default one."""
        return self.principal.reach

    def may(self, scope: Scope) -> bool:
        """Return whether the caller may do what needs a scope; nobody writes to a read-only store."""
        return self.principal.may(scope) and not (self.settings.read_only and scope is Scope.WRITE)

    async def call(
        self, tool: Tool[ArgumentsT, ResultT], arguments: Mapping[str, object], *, is_bounded: bool = False
    ) -> ResultT:
        """Return a tool's result; raises MemoryMcpError as `Dispatcher.dispatch` does."""
        if reason := why_left_out(tool, self.settings):
            raise ForbiddenError(f"{tool.name} {reason}")
        return await self.dispatcher.dispatch(ToolCall(self.principal, tool, arguments, is_bounded=is_bounded))

    async def run(
        self,
        name: str,
        work: Callable[[Services], Awaitable[T]],
        scopes: tuple[Scope, ...] = (Scope.READ,),
        kind: RequestKind | None = "read",
        ids: Sequence[str] = (),
    ) -> T:
        """Do what is no tool, through the same middleware; raises MemoryMcpError as `Dispatcher.run` does.

        Args:
            name: in the log.
            work: gets the services.
            scopes: that the caller needs.
            kind: what it counts as for the rate limit; None for what does not reach the store.
            ids: of the memories and documents that it is about, for the audit; what only looks has no line without.
        """
        if kind in {"write", "bulk"}:
            self.check_writes()

        async def answer() -> T:
            return await work(await self.services())

        is_audited = kind != "read" or bool(ids)
        request = Request(self.principal, name, answer, scopes, kind, concerns=[*ids], is_audited=is_audited)
        return await self.dispatcher.run(request)

    async def operate(
        self, name: str, work: Callable[[Services], Awaitable[T]], kind: RequestKind | None = "read"
    ) -> T:
        """Do what concerns all namespaces; otherwise as `run`."""
        self.principal.require_operator()
        return await self.run(name, work, (Scope.ADMIN,), kind)

    def begin(self, kind: str, subject: str, work: OperationWork, *, can_cancel: bool = True) -> Operation:
        """Begin what nobody waits for; raises RateLimitedError as `Operations.start` does."""
        return self.operations.start(
            self.principal.id, kind, subject, work, can_cancel=can_cancel, is_allowed=self.is_allowed
        )

    def check_writes(self) -> None:
        """Refuse to write where that is forbidden.

        Raises:
            ForbiddenError: this front is read-only.
        """
        if self.settings.read_only:
            raise ForbiddenError("this front is read-only (MCP_MEMORY_READ_ONLY); use one that is not")

    def render(self, template: str, values: Mapping[str, object]) -> str:
        """Return a template's HTML, as the caller may see it."""
        return self.templates.render(template, {"may": self.may, "reach": self.reach, **values})


@dataclass(frozen=True, slots=True)
class Answer:
    """What an action says."""

    message: str = ""
    """For the toast, from the catalogue."""
    data: Mapping[str, object] = field(default_factory=dict)
    """JSON for the view's script."""
    html: str = ""
    """A part that replaces what is shown; made by `Visit.render`."""


@dataclass(frozen=True, slots=True)
class Action(Generic[ArgumentsT]):
    """`POST /do/NAME`: a change. Its work goes through `Visit.call` or `Visit.run`, which check scopes and limits."""

    name: str
    """`VIEW.VERB`, such as memory.edit."""
    arguments: type[ArgumentsT]
    """The body's fields."""
    run: Callable[[Visit, ArgumentsT], Coroutine[Any, Any, Answer]]


@dataclass(frozen=True, slots=True)
class Stream:
    """`GET` or `POST /raw/NAME`: an upload, a download or anything long; the body is read and written as it comes."""

    name: str
    method: Literal["GET", "POST"]
    run: Callable[[Visit, HttpRequest], Coroutine[Any, Any, Response]]


@dataclass(frozen=True, slots=True)
class Nav:
    """An entry of the navigation; its text is `VIEW.nav` of the catalogue."""

    group: Literal["memories", "system"]
    icon: str
    """An id in `static/icons.svg`."""


@dataclass(frozen=True, slots=True)
class PageView(Generic[ArgumentsT]):
    """`GET PATH`: the template `NAME.html` with what `load` returns, in an element with `data-view=NAME`."""

    name: str
    path: str
    """Such as /memories/{id}; what stands in braces is an argument too."""
    arguments: type[ArgumentsT]
    """Of the path and of the query."""
    load: Callable[[Visit, ArgumentsT], Coroutine[Any, Any, Mapping[str, object]]]
    nav: Nav | None = None
    scope: Scope = Scope.READ
    """What the caller needs; without it the entry in the navigation is not shown."""
    of_operator: bool = False
    """Whether it concerns all namespaces, so that nobody who is bound to one sees it."""
    script: bool = False
    """Whether `static/NAME.js` belongs to it: `export function mount(root, page)`."""
    style: bool = False
    """Whether `static/NAME.css` belongs to it."""
    parts: tuple[str, ...] = ()
    """What `?part=PART` renders alone: the template `NAME.PART.html` with the same values."""
    actions: tuple[Action[Any], ...] = ()
    streams: tuple[Stream, ...] = ()


AnyView = PageView[Any]  # the list holds views of every kind


class NoArguments(Arguments):
    """A view without a filter, an action without a field."""
