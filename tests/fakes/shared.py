"""A fake of what fronts share."""

from __future__ import annotations

from memory_mcp.domain.ports.shared import MAX_SHARED_BYTES


class FakeSharedCache:
    """See `domain.ports.SharedCache`."""

    def __init__(self) -> None:
        self.held: dict[bytes, bytes] = {}
        self.is_away = False

    async def get(self, key: bytes) -> bytes | None:
        """Return what was put there."""
        return None if self.is_away else self.held.get(key)

    def put(self, key: bytes, value: bytes) -> None:
        """Put bytes there."""
        if len(value) <= MAX_SHARED_BYTES and not self.is_away:
            self.held[key] = value
