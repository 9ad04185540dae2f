"""What a peer's reader yields: its records as they are, and what is worth knowing about them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

RemarkKind = Literal["lost", "guessed", "bad"]
"""What is not taken over, what had to be guessed, and which record cannot be read."""
LIVE: Final = "live"


@dataclass(frozen=True, slots=True)
class PeerVersion:
    """A text that a later one replaced."""

    content: str
    tags: tuple[str, ...]
    type: str
    metadata: Mapping[str, object]
    at: datetime
    """When it was written, in UTC."""


@dataclass(frozen=True, slots=True)
class PeerRecord:
    """One memory of a peer."""

    source_id: str
    """Its id there; unique among the records of one source, and the same at every reading."""
    content: str
    created_at: datetime
    updated_at: datetime
    tags: tuple[str, ...] = ()
    type: str = ""
    metadata: Mapping[str, object] = field(default_factory=dict)
    conversation_id: str | None = None
    namespace: str = ""
    """Empty: the peer has none, or calls it its default."""
    versions: tuple[PeerVersion, ...] = ()
    """Oldest first."""
    state: Literal["live", "deleted"] = LIVE
    id: str = ""
    """Ours; empty for the source's."""


@dataclass(frozen=True, slots=True)
class Remark:
    """What the plan announces."""

    kind: RemarkKind
    what: str
    """A sentence; the same for all records that it is true of."""
    source_id: str = ""


PeerItem = PeerRecord | Remark
ReadPeer = Callable[[Path], Iterator[PeerItem]]
"""Reads the file of a peer, a private copy that may be written."""


class UnreadableError(Exception):
    """The file is not what it should be; a sentence with what fixes it."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A memory system that we read."""

    name: str
    reader: str
    """`module:function`, a `ReadPeer`."""
    places: tuple[str, ...]
    """Where its file usually is, as patterns below the user's folder."""
    beside: tuple[str, ...] = ()
    """Endings of the files that belong to it."""


SQLITE_FILES: Final = ("-wal", "-journal")
"""What belongs to a database; SQLite makes the third, `-shm`, anew from these."""

PEERS: Final = {
    peer.name: peer
    for peer in (
        Peer(
            "mcp-memory-service",
            "memory_mcp.imports.peers.mcp_memory_service:read",
            (
                ".local/share/mcp-memory/sqlite_vec.db",
                "Library/Application Support/mcp-memory/sqlite_vec.db",
            ),
            SQLITE_FILES,
        ),
        Peer(
            "server-memory",
            "memory_mcp.imports.peers.server_memory:read",
            (".npm/_npx/*/node_modules/@modelcontextprotocol/server-memory/dist/memory.json*",),
        ),
        Peer(
            "openmemory",
            "memory_mcp.imports.peers.openmemory:read",
            ("openmemory/api/openmemory.db", "*/openmemory/api/openmemory.db", "*/*/openmemory/api/openmemory.db"),
            SQLITE_FILES,
        ),
        Peer("claude-mem", "memory_mcp.imports.peers.claude_mem:read", (".claude-mem/claude-mem.db",), SQLITE_FILES),
        Peer("engram", "memory_mcp.imports.peers.engram:read", (".engram/engram.db",), SQLITE_FILES),
    )
}
