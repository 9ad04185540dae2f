"""Filters of the views that show many memories at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from memory_mcp.domain.models import Filters
from memory_mcp.domain.principal import Reach
from memory_mcp.tools.fields import FilterArguments
from memory_mcp.tools.json_text import tags_text

if TYPE_CHECKING:
    from memory_mcp.tools.services import Services

MOST_NAMESPACES = 200
"""Offered in a list."""


class NarrowingArguments(FilterArguments):
    """The filters of a view, as its address has them."""

    @staticmethod
    def of_interval(filters: Filters, since: datetime | None, until: datetime | None) -> Filters:
        """Return the filters for an interval instead of their own."""
        return replace(filters, after=since, before=until)

    @property
    def is_narrow(self) -> bool:
        """Whether anything but the namespace is asked for."""
        return bool(self._given.keys() - {"namespace"})

    @property
    def _given(self) -> dict[str, str]:
        """The filters that are not left out, as an address has them."""
        given = {
            "tags": tags_text(self.tags),
            "tag_match": self.tag_match if self.tag_match != "any" else "",
            "type": self.type or "",
            "conversation_id": self.conversation_id or "",
            "after": self.after.isoformat() if self.after else "",
            "before": self.before.isoformat() if self.before else "",
            "time_expr": self.time_expr or "",
            "namespace": self.namespace or "",
        }
        return {name: value for name, value in given.items() if value}

    def address(self, path: str, **more: datetime) -> str:
        """Return the address of a view with the same filters."""
        return f"{path}?{urlencode(self._given | {name: value.isoformat() for name, value in more.items()})}"


async def namespaces(services: Services, reach: Reach) -> list[str]:
    """Return the namespaces that a caller may choose from; none where there is nothing to choose."""
    if reach.only is not None:
        return sorted(reach.only) if len(reach.only) > 1 else []
    found = await services.memories.namespaces_like("", reach, MOST_NAMESPACES)
    return sorted({*found, reach.namespace})
