"""Partitions of a namespace: its documents, and everything else.

Each has a row in `partitions` and so its own number in the keyword index, its own count and its own part of the vector
tables. So a thousand abstracts neither make the words of a conversation common nor its vectors usual.
"""

from __future__ import annotations

from typing import Final

from memory_mcp.domain.models import DOCUMENT, MAX_NAMESPACE, Filters

_DOCUMENTS: Final = "/documents".rjust(MAX_NAMESPACE + 1, "/")
"""Ends the name of a partition of documents. It is longer than any namespace, so that none has such a name."""

PARTITION: Final = f"m.namespace || iif(m.type = '{DOCUMENT}', '{_DOCUMENTS}', '')"
"""SQL for the partition of a memory `m`."""
NAMESPACES: Final = f"SELECT DISTINCT replace(namespace, '{_DOCUMENTS}', '') AS namespace FROM partitions"  # noqa: S608 - constants
"""SQL for the names of all namespaces."""


def partition_of(namespace: str, memory_type: str | None) -> str:
    """Return the partition of a memory."""
    return namespace + _DOCUMENTS if memory_type == DOCUMENT else namespace


def searched(filters: Filters) -> str:
    """Return the partition that a search with these filters looks in."""
    return partition_of(filters.namespace, DOCUMENT if filters.documents else None)
