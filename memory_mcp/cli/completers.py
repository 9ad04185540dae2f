"""Shell completion with tags and namespaces from the store; nothing if the store cannot be read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import click
from click.shell_completion import CompletionItem

from memory_mcp import settings
from memory_mcp.application.request import Request
from memory_mcp.cli import choose
from memory_mcp.cli.session import answer
from memory_mcp.context.project import caller
from memory_mcp.domain.errors import MemoryMcpError
from memory_mcp.domain.principal import Principal, Scope
from memory_mcp.tools.services import Services

OFFERED: Final = 50


class Known(click.ParamType[str]):
    """A text that can be completed from the store."""

    name = "text"

    def __init__(self, like: Callable[[Services, str, Principal], Awaitable[list[str]]]) -> None:
        self._like = like

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Offer completions; in a comma-separated list the last word is completed."""
        del param
        before, comma, last = incomplete.rpartition(",")
        try:
            user = caller(_namespace_of(ctx))
            if not settings.load().sqlite_path.is_file():  # completion must not create a store
                return []
            words = answer(
                lambda services: Request(
                    user, "complete", lambda: self._like(services, last, user), (Scope.READ,), "read"
                )
            )
        except (MemoryMcpError, click.UsageError, UnicodeError):  # UnicodeError: words that are not UTF-8
            return []
        return [CompletionItem(before + comma + word) for word in words]


def _namespace_of(ctx: click.Context) -> str:
    """Return the namespace given on the line so far, else the one from the settings, including --set.

    Raises:
        click.UsageError, SettingsError: a --set is wrong.
    """
    choose(ctx.find_root().params.get("chosen") or ())
    return ctx.params.get("namespace") or settings.load().namespace


async def _tags_like(services: Services, prefix: str, user: Principal) -> list[str]:
    return await services.memories.tags_like(prefix, user.reach.namespace, OFFERED)


async def _namespaces_like(services: Services, prefix: str, user: Principal) -> list[str]:
    return await services.memories.namespaces_like(prefix, user.reach, OFFERED)


TAG: Final = Known(_tags_like)
NAMESPACE: Final = Known(_namespaces_like)
