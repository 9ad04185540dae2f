"""The ports to the outside: stores, which never embed, and an embedder, which never stores.

A store has five ports: records, read snapshots, the embedding index, the change log and leases. `Store` combines
them; a service depends only on those it needs. What only some stores support is an optional port, which callers
check with `isinstance`.

All other persistent state (documents, jobs, watches, import runs, an audit) follows the same rule: a small port here, a
working fake in `tests/fakes/`, and a contract test in `tests/contracts/` that runs on the implementation and the fake.
Only `storage/` contains SQL. Another store has to pass the same contracts, and nothing above it changes.
"""

from memory_mcp.domain.ports.audit import AuditLog, SupportsAudit
from memory_mcp.domain.ports.changes import Changes
from memory_mcp.domain.ports.chat import ChatModel
from memory_mcp.domain.ports.documents import DocumentStore, SupportsDocuments
from memory_mcp.domain.ports.embedder import Embedder
from memory_mcp.domain.ports.embedding_index import EmbeddingIndex
from memory_mcp.domain.ports.identities import Identities
from memory_mcp.domain.ports.leases import Leases
from memory_mcp.domain.ports.optional import AnnouncesChanges, SupportsBackup, SupportsTidy
from memory_mcp.domain.ports.records import Records
from memory_mcp.domain.ports.shared import RateCounter, SharedCache
from memory_mcp.domain.ports.snapshot import Snapshot, Snapshots
from memory_mcp.domain.ports.sources import ContextSource, ContextSources
from memory_mcp.domain.ports.store import ChartedStore, IndexAndLeases, Maintainable, RecordsAndIndex, Store
from memory_mcp.domain.ports.tokens import Tokens

__all__ = [
    "AnnouncesChanges",
    "AuditLog",
    "Changes",
    "ChartedStore",
    "ChatModel",
    "ContextSource",
    "ContextSources",
    "DocumentStore",
    "Embedder",
    "EmbeddingIndex",
    "Identities",
    "IndexAndLeases",
    "Leases",
    "Maintainable",
    "RateCounter",
    "Records",
    "RecordsAndIndex",
    "SharedCache",
    "Snapshot",
    "Snapshots",
    "Store",
    "SupportsAudit",
    "SupportsBackup",
    "SupportsDocuments",
    "SupportsTidy",
    "Tokens",
]
