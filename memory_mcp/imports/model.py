"""What a peer's reader yields: its records as they are, and what is worth knowing about them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
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
    is_dated: bool = True
    """Whether the source has its times; a time that was made up does not count as a difference later."""


@dataclass(frozen=True, slots=True)
class Remark:
    """What the plan announces."""

    kind: RemarkKind
    what: str
    """A sentence; the same for all records that it is true of."""
    source_id: str = ""


PeerItem = PeerRecord | Remark


@dataclass(frozen=True, slots=True)
class Source:
    """The private copy of what a peer keeps; it may be written."""

    path: Path
    """A file, or a folder with the files that the peer names: the user's folder, or an archive's content."""
    patterns: tuple[str, ...] = ()
    extras: frozenset[str] = frozenset()
    """What the user asked for beyond the usual; see `Peer.extras`."""
    zone: str = ""
    """The zone that the user gave for times without one; empty: this machine's."""
    times: Mapping[Path, datetime] = field(default_factory=dict)
    """Of an archive's files."""

    def files(self, *patterns: str) -> list[Path]:
        """Return the files that match, below the folder; a file that the user named is taken whatever its name."""
        if self.path.is_file():
            return [self.path]
        found = {path for pattern in patterns or self.patterns for path in self.path.glob(pattern)}
        return sorted(path for path in found if path.is_file())

    def file(self, *patterns: str) -> Path:
        """Return the only file that matches.

        Raises:
            UnreadableError: there is none, or there are several.
        """
        found = self.files(*patterns)
        if len(found) == 1:
            return found[0]
        wanted = named(patterns or self.patterns)
        if not found:
            raise UnreadableError(f"it holds no {wanted}; give the path of one")
        names = ", ".join(str(path.relative_to(self.path)) for path in found[:5])
        raise UnreadableError(f"it holds several of {wanted} ({names}); give the path of one")

    def written_at(self, path: Path) -> datetime:
        """Return when a file was changed last, in UTC."""
        return self.times.get(path) or datetime.fromtimestamp(path.stat().st_mtime, UTC)

    def aware(self, moment: datetime) -> datetime:
        """Return a time in UTC; one without a zone is in the user's."""
        return moment.astimezone(UTC)

    @property
    def zone_guess(self) -> Remark:
        """What to say, for each record, of a time without a zone that `aware` read."""
        zone = self.zone or "this machine's zone"
        return Remark("guessed", f"its time has no zone; read in {zone}, which --source-tz changes")


def named(patterns: Sequence[str]) -> str:
    """Return patterns as a sentence names them."""
    return " or ".join(pattern.removeprefix("**/") for pattern in patterns)


ReadPeer = Callable[[Source], Iterator[PeerItem]]


class UnreadableError(Exception):
    """The file is not what it should be; a sentence with what fixes it."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A memory system that we read."""

    name: str
    reader: str
    """`module:function`, a `ReadPeer`."""
    places: tuple[str, ...]
    """Where its file or folder usually is, as patterns below the user's folder."""
    files: tuple[str, ...]
    """Which files are taken of a folder, or of an archive, as patterns below it (`**/*.md`)."""
    beside: tuple[str, ...] = ()
    """Endings of the files that belong to each of them."""
    extras: tuple[str, ...] = ()
    """What `--also` may ask for, such as conversations."""
    lock: str = ""
    """The file that its program keeps locked, seen from the folder of each of its files; empty: it has none."""
    temporary: tuple[str, ...] = ()
    """Files in the temporary folder that belong to the folder in the usual place, as patterns."""


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
            ("**/sqlite_vec.db",),
            SQLITE_FILES,
        ),
        Peer(
            "server-memory",
            "memory_mcp.imports.peers.server_memory:read",
            (".npm/_npx/*/node_modules/@modelcontextprotocol/server-memory/dist/memory.json*",),
            ("**/memory.json", "**/memory.jsonl"),
        ),
        Peer(
            "openmemory",
            "memory_mcp.imports.peers.openmemory:read",
            ("openmemory/api/openmemory.db", "*/openmemory/api/openmemory.db", "*/*/openmemory/api/openmemory.db"),
            ("**/openmemory.db", "**/memories.json"),
            SQLITE_FILES,
        ),
        Peer(
            "claude-mem",
            "memory_mcp.imports.peers.claude_mem:read",
            (".claude-mem/claude-mem.db",),
            ("**/claude-mem.db",),
            SQLITE_FILES,
            ("prompts",),
        ),
        Peer(
            "engram",
            "memory_mcp.imports.peers.engram:read",
            (".engram/engram.db",),
            ("**/engram.db", "**/engram-export.json"),
            SQLITE_FILES,
            ("summaries",),
        ),
        Peer(
            "chroma",
            "memory_mcp.imports.peers.chroma:read",
            ("chroma/chroma.sqlite3", "chroma_db/chroma.sqlite3"),
            ("**/chroma.sqlite3",),
            SQLITE_FILES,
        ),
        Peer(
            "mempalace",
            "memory_mcp.imports.peers.mempalace:read",
            (".mempalace",),
            ("**/chroma.sqlite3", "**/knowledge_graph.sqlite3"),
            SQLITE_FILES,
        ),
        Peer(
            "mcp-server-qdrant",
            "memory_mcp.imports.peers.mcp_server_qdrant:read",
            (),
            ("**/storage.sqlite",),
            SQLITE_FILES,
            lock="../../.lock",
        ),
        Peer(
            "mem0",
            "memory_mcp.imports.peers.mem0:read",
            (".mem0",),
            ("**/history.db", "**/storage.sqlite"),
            SQLITE_FILES,
            lock="../../.lock",
            temporary=("qdrant/collection/*/storage.sqlite",),  # its default
        ),
        Peer("text", "memory_mcp.imports.peers.pasted_text:read", (), ("**/*.txt", "**/*.md")),
    )
}
