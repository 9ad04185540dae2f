"""Who does a chore: one front at a time, as long as its lease in the store runs."""

from __future__ import annotations

import os
import uuid

from memory_mcp.domain.ports import Leases


class Lease:
    """One front's claim to one chore."""

    def __init__(self, store: Leases, name: str) -> None:
        self._store = store
        self._name = name
        self._owner = f"{os.getpid()}-{uuid.uuid4().hex}"

    async def take(self, seconds: float) -> bool:
        """Take or prolong it; False while another front's has not run out.

        Raises:
            StoreError: the store cannot be written.
        """
        return await self._store.acquire_lease(self._name, self._owner, seconds)

    async def give_back(self) -> None:
        """Let another front have it at once; nothing happens where another one's runs.

        Raises:
            StoreError: the store cannot be written.
        """
        await self._store.acquire_lease(self._name, self._owner, 0)
