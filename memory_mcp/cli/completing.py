"""What a shell is offered where an option takes a word of the store: nothing where that cannot be read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import click
from click.shell_completion import CompletionItem

from memory_mcp import settings
from memory_mcp.cli.session import with_services
from memory_mcp.domain.errors import MemoryMcpError
from memory_mcp.domain.principal import Reach
from memory_mcp.services.bundle import Services

OFFERED: Final = 50


class Known(click.ParamType[str]):
    """A text that the store may know."""

    name = "text"

    def __init__(self, like: Callable[[Services, str], Awaitable[list[str]]]) -> None:
        self._like = like

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Offer what begins so; of words between commas the last one is completed."""
        del ctx, param
        before, comma, last = incomplete.rpartition(",")
        try:
            if not settings.load().sqlite_path.is_file():  # to complete makes no store
                return []
            words = with_services(lambda services: self._like(services, last))
        except MemoryMcpError:
            return []
        return [CompletionItem(before + comma + word) for word in words]


async def _tags_like(services: Services, prefix: str) -> list[str]:
    return await services.memories.tags_like(prefix, settings.load().namespace, OFFERED)


async def _namespaces_like(services: Services, prefix: str) -> list[str]:
    return await services.memories.namespaces_like(prefix, Reach(settings.load().namespace), OFFERED)


TAG: Final = Known(_tags_like)
NAMESPACE: Final = Known(_namespaces_like)
