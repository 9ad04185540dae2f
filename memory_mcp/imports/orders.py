"""What the front tells the process that reads a peer's copy."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Order:
    """What to read, and how; times without a zone are in the process's own."""

    reader: str
    path: str
    patterns: tuple[str, ...]
    beside: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    zone: str = ""
    unsandboxed: bool = False

    @classmethod
    def parsed(cls, written: str) -> Order:
        """Return what `written` returned."""
        fields = json.loads(written)
        return cls(**{name: tuple(held) if isinstance(held, list) else held for name, held in fields.items()})

    def written(self) -> str:
        """Return it as one word of a command line."""
        return json.dumps(asdict(self))
