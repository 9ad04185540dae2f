"""Files of memory systems that keep vectors, as they write them: databases of Chroma, and points of qdrant_client."""

from __future__ import annotations

import pickle
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CHROMA = """
CREATE TABLE collections (id TEXT PRIMARY KEY, name TEXT NOT NULL, dimension INTEGER, database_id TEXT NOT NULL);
CREATE TABLE segments (id TEXT PRIMARY KEY, type TEXT NOT NULL, scope TEXT NOT NULL, collection TEXT NOT NULL);
CREATE TABLE embeddings (
  id INTEGER PRIMARY KEY, segment_id TEXT NOT NULL, embedding_id TEXT NOT NULL, seq_id {seq_id} NOT NULL,
  created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, UNIQUE (segment_id, embedding_id)
);
CREATE TABLE embedding_metadata (
  id INTEGER REFERENCES embeddings(id), key TEXT NOT NULL, string_value TEXT, int_value INTEGER, float_value REAL,
  bool_value INTEGER, PRIMARY KEY (id, key)
);
CREATE TABLE max_seq_id (segment_id TEXT PRIMARY KEY, seq_id {seq_id});
CREATE TABLE embeddings_queue (
  seq_id INTEGER PRIMARY KEY, created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, operation INTEGER NOT NULL,
  topic TEXT NOT NULL, id TEXT NOT NULL, vector BLOB, encoding TEXT, metadata TEXT
);
"""
ARRAYS = """
CREATE TABLE embedding_metadata_array (
  id INTEGER NOT NULL, key TEXT NOT NULL, string_value TEXT, int_value INTEGER, float_value REAL, bool_value INTEGER
);
"""
GRAPH = """
CREATE TABLE entities (id TEXT PRIMARY KEY, name TEXT NOT NULL, type TEXT, properties TEXT, created_at TEXT);
CREATE TABLE triples (
  id TEXT PRIMARY KEY, subject TEXT NOT NULL, predicate TEXT NOT NULL, object TEXT NOT NULL, valid_from TEXT,
  valid_to TEXT, confidence REAL DEFAULT 1.0, source_closet TEXT, source_file TEXT, extracted_at TEXT
);
"""
HISTORY = """
CREATE TABLE history (
  id TEXT PRIMARY KEY, memory_id TEXT, old_memory TEXT, new_memory TEXT, event TEXT, created_at DATETIME,
  updated_at DATETIME, is_deleted INTEGER, actor_id TEXT, role TEXT
)
"""
Value = str | bytes | int | float | bool | list[str]


@dataclass
class Chroma:
    """A database of Chroma, open and in use."""

    path: Path
    is_old: bool = False
    """Whether it is of 0.6: sequence numbers are blobs, and there are no lists."""

    def __post_init__(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(self.path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = wal")
        self._db.execute("PRAGMA wal_autocheckpoint = 0")
        self._db.executescript(
            CHROMA.format(seq_id="BLOB" if self.is_old else "INTEGER") + ("" if self.is_old else ARRAYS)
        )

    def add(self, collection: str, source_id: str, at: str, document: Value | None, **metadata: Value) -> None:
        """Put a document with its metadata into a collection."""
        segment = f"metadata of {collection}"
        self._db.execute(
            "INSERT OR IGNORE INTO collections VALUES (?, ?, 384, 'default')", (f"id of {collection}", collection)
        )
        for scope, kind in ("METADATA", "sqlite"), ("VECTOR", "hnsw"):
            row = (segment if kind == "sqlite" else f"vector of {collection}", kind, scope, f"id of {collection}")
            self._db.execute("INSERT OR IGNORE INTO segments VALUES (?, ?, ?, ?)", row)
        added = self._db.execute(
            "INSERT INTO embeddings (segment_id, embedding_id, seq_id, created_at) VALUES (?, ?, 1, ?)",
            (segment, source_id, at),
        )
        assert added.lastrowid is not None
        for key, value in {**({} if document is None else {"chroma:document": document}), **metadata}.items():
            self._add_member(added.lastrowid, key, value)

    def _add_member(self, row: int, key: str, value: Value) -> None:
        table = "embedding_metadata_array" if isinstance(value, list) else "embedding_metadata"
        for each in value if isinstance(value, list) else [value]:
            kind = {bool: "bool", int: "int", float: "float"}.get(type(each), "string")
            held = each.decode("latin-1") if isinstance(each, bytes) else each
            taken = "CAST(CAST(? AS BLOB) AS TEXT)" if isinstance(each, bytes) else "?"
            self._db.execute(
                f"INSERT INTO {table} (id, key, {kind}_value) VALUES (?, ?, {taken})",  # noqa: S608 - our own names
                (row, key, each if isinstance(each, bytes) else held),
            )

    def queue(self, collection: str) -> None:
        """Take a change that is not applied yet."""
        self._db.execute(
            "INSERT INTO embeddings_queue (operation, topic, id) VALUES (0, ?, 'waiting')",
            (f"persistent://default/default/id of {collection}",),
        )

    def close(self) -> None:
        """Close it."""
        self._db.close()


def knowledge_graph(path: Path, *facts: tuple[str | None, ...]) -> None:
    """Write MemPalace's facts: id, subject, predicate, object, valid_from, valid_to, extracted_at."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(path) as db:
        db.executescript(GRAPH)
        for source_id, subject, predicate, object_, *times in facts:
            ends = [str(name).lower().replace(" ", "_") for name in (subject, object_)]
            for end, name in zip(ends, (subject, object_), strict=True):
                db.execute("INSERT OR IGNORE INTO entities (id, name) VALUES (?, ?)", (end, name))
            db.execute(
                "INSERT INTO triples (id, subject, predicate, object, valid_from, valid_to, extracted_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (source_id, ends[0], predicate, ends[1], *times),
            )
    db.close()


def point(source_id: str | int, payload: object, *, module: str = "qdrant_client.http.models.models") -> bytes:
    """Return the pickle of a `PointStruct`, with a vector of another class of qdrant_client."""
    vector = _object(module, "SparseVector", {"indices": [1], "values": [0.5]})
    state = pickle.dumps({"id": source_id, "payload": payload}, 2)[2:-1]
    # {"__dict__": {"id", "payload", "vector": …}, "__pydantic_extra__": None}, by hand: the class is not installed here
    fields = state + b"(" + b"X\x06\x00\x00\x00vector" + vector + b"u"
    whole = b"}(X\x08\x00\x00\x00__dict__" + fields + b"X\x12\x00\x00\x00__pydantic_extra__Nu"
    return b"\x80\x02" + _made(module, "PointStruct") + whole + b"b."


def nested(levels: int, pickled: bytes) -> bytes:
    """Put lists in each other where a pickle has the text LISTS."""
    return pickled.replace(b"X\x05\x00\x00\x00LISTS", b"]" * levels + b"N" + b"a" * levels)


def _object(module: str, name: str, state: Mapping[str, object]) -> bytes:
    return _made(module, name) + pickle.dumps({"__dict__": dict(state)}, 2)[2:-1] + b"b"


def _made(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode() + b")\x81"


def qdrant_collection(folder: Path, name: str, *points: bytes) -> None:
    """Write a collection of qdrant_client's own store."""
    path = folder / "collection" / name / "storage.sqlite"
    path.parent.mkdir(parents=True)
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE points (id TEXT PRIMARY KEY, point BLOB)")
        db.executemany("INSERT INTO points VALUES (?, ?)", [(str(number), each) for number, each in enumerate(points)])
    db.close()


def mem0_history(path: Path, *events: tuple[str, str | None, str | None, str, str, str]) -> None:
    """Write mem0's history: memory, old text, new text, event, created_at, updated_at."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(path) as db:
        db.execute(HISTORY)
        for number, event in enumerate(events):
            db.execute("INSERT INTO history VALUES (?, ?, ?, ?, ?, ?, ?, 0, NULL, NULL)", (str(number), *event))
    db.close()
