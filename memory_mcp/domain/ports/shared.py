"""What the fronts of a store may share beside it. It can be gone at any moment, and no call waits for it long."""

from __future__ import annotations

from typing import Final, Protocol


class RateCounter(Protocol):
    """Counts calls in moving windows of a minute."""

    async def hit(self, caller: str, kind: str, per_minute: int) -> int:
        """Count a caller's call of a kind; return 0, or the seconds to wait if the minute is used up."""
        ...


MAX_SHARED_BYTES: Final = 500_000
"""Of one value; a larger one is not put there."""


class SharedCache(Protocol):
    """Holds bytes for a while, for all fronts."""

    async def get(self, key: bytes) -> bytes | None:
        """Return what was put there; None if nothing is left of it, or nobody answers in time."""
        ...

    def put(self, key: bytes, value: bytes) -> None:
        """Put at most MAX_SHARED_BYTES there soon, if that can be done; returns at once."""
        ...
