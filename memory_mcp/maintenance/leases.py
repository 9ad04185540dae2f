"""Leases: one front at a time does a chore, while its lease in the store is valid."""

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
        """Take or extend it; False while another front's is valid.

        Raises:
            StoreError: the store cannot be written.
        """
        return await self._store.acquire_lease(self._name, self._owner, seconds)

    async def give_back(self) -> None:
        """Release it early; does nothing if another front has it.

        Raises:
            StoreError: the store cannot be written.
        """
        await self._store.acquire_lease(self._name, self._owner, 0)
