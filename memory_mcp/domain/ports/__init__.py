"""What the program needs from outside: stores that never embed, and an embedder that never stores.

A store is five ports: records, snapshots to read, the embedding index, the log of changes and leases. `Store` is
their sum; a service asks for those that it needs. What only some stores can do is an optional port, which callers look
for with `isinstance`.

Every other state that outlives the process (documents, jobs, watches, import runs, an audit) follows the same rule: a
small port of its own here, a file with a fake that behaves in `tests/fakes/`, and a contract test in `tests/contracts/`
that runs on the implementation and on the fake. SQL stands under `storage/` alone. Another store has to pass the same
contracts, and nothing above has to change.
"""

from memory_mcp.domain.ports.changes import Changes
from memory_mcp.domain.ports.embedder import Embedder
from memory_mcp.domain.ports.embedding_index import EmbeddingIndex
from memory_mcp.domain.ports.leases import Leases
from memory_mcp.domain.ports.optional import SupportsBackup, SupportsTidy
from memory_mcp.domain.ports.records import Records
from memory_mcp.domain.ports.snapshot import Snapshot, Snapshots
from memory_mcp.domain.ports.store import IndexAndLeases, Maintainable, RecordsAndIndex, Store
from memory_mcp.domain.ports.tokens import Tokens

__all__ = [
    "Changes",
    "Embedder",
    "EmbeddingIndex",
    "IndexAndLeases",
    "Leases",
    "Maintainable",
    "Records",
    "RecordsAndIndex",
    "Snapshot",
    "Snapshots",
    "Store",
    "SupportsBackup",
    "SupportsTidy",
    "Tokens",
]
