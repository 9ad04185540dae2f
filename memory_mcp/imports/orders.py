"""What the front tells the process that reads a peer's copy."""

from __future__ import annotations

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass


@dataclass(frozen=True)
class Order:
    """What to read, and how; times without a zone are in the process's own."""

    reader: str
    path: str
    patterns: tuple[str, ...]
    beside: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    zone: str = ""
    unsandboxed: bool = False

    @staticmethod
    def parsed(written: str) -> Order:
        """Return what `written` returned."""
        return TypeAdapter(Order).validate_json(written)

    def written(self) -> str:
        """Return it as one word of a command line."""
        return TypeAdapter(Order).dump_json(self).decode()
