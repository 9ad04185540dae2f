"""What an assistant should know at the start of a session, without a question.

What is pinned; the tasks that are not done; decisions and facts by date; the last session.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from memory_mcp.context.memories import Remembered, of_memory
from memory_mcp.context.models import ContextRequest, Evidence
from memory_mcp.context.policy import ContextPolicy
from memory_mcp.domain.documents import DOCUMENT
from memory_mcp.domain.models import Filters, Memory
from memory_mcp.domain.names import folded
from memory_mcp.domain.ports import Snapshot, Snapshots

PINNED: Final = "pinned"
"""The tag."""
TASK: Final = "task"
DECISION: Final = "decision"
FACT: Final = "fact"
STATUS: Final = "status"
DONE: Final = "done"


async def recall(request: ContextRequest, store: Snapshots, policy: ContextPolicy) -> Remembered:
    """Return what the store knows for a start, of all namespaces."""
    return await store.read(lambda it: _read(it, request, policy))


def _read(snapshot: Snapshot, request: ContextRequest, policy: ContextPolicy) -> Remembered:
    found = _found(snapshot, request, policy)
    following = snapshot.neighbours([each.key for each in found if each.key is not None])
    return Remembered(found, following=following, weak=not found)


def _found(snapshot: Snapshot, request: ContextRequest, policy: ContextPolicy) -> list[Evidence]:
    found: list[Evidence] = []
    seen = set[int]()
    for order, (heading, ask) in enumerate(KINDS):
        for namespace in (request.filters.namespace, *request.joined):
            omitted = request.omitted.get(namespace, frozenset())
            filters = replace(
                request.filters, namespace=namespace, without_type=None if request.with_documents else DOCUMENT
            )
            for memory in ask(snapshot, filters, policy):
                if memory.key not in seen and memory.id not in omitted:
                    seen.add(memory.key)
                    found.append(_evidence(snapshot, memory, heading, order, request))
    return found


def _evidence(snapshot: Snapshot, memory: Memory, heading: str, order: int, request: ContextRequest) -> Evidence:
    place = snapshot.section_places([memory.key]).get(memory.key) if memory.type == DOCUMENT else None
    made = of_memory(memory, place, is_joined=memory.namespace != request.filters.namespace)
    return replace(made, heading=heading, order=order)


def _pinned(snapshot: Snapshot, filters: Filters, policy: ContextPolicy) -> Sequence[Memory]:
    wanted = set(map(folded, filters.tags))
    page = snapshot.page(replace(filters, tags=(PINNED,)), limit=policy.pinned, cursor=None)

    def carries(memory: Memory) -> bool:
        held = set(map(folded, memory.tags))
        return wanted <= held if filters.tag_match == "all" else not wanted or bool(wanted & held)

    return [memory for memory in page.memories if carries(memory)]


def _tasks(snapshot: Snapshot, filters: Filters, policy: ContextPolicy) -> Sequence[Memory]:
    undone = filters.metadata if STATUS in filters.metadata else {**filters.metadata, STATUS: {"ne": DONE}}
    return list(_of_type(snapshot, replace(filters, metadata=undone), TASK, policy))


def _statements(snapshot: Snapshot, filters: Filters, policy: ContextPolicy) -> Sequence[Memory]:
    both = [*_of_type(snapshot, filters, DECISION, policy), *_of_type(snapshot, filters, FACT, policy)]
    return sorted(both, key=lambda memory: (memory.created_at, memory.key), reverse=True)


def _of_type(snapshot: Snapshot, filters: Filters, kind: str, policy: ContextPolicy) -> Iterator[Memory]:
    if filters.type in {None, kind}:
        yield from snapshot.page(replace(filters, type=kind), limit=policy.per_kind, cursor=None).memories


def _last_session(snapshot: Snapshot, filters: Filters, policy: ContextPolicy) -> Sequence[Memory]:
    """Return the memories of the newest one's conversation; without one, those of its day."""
    notes = replace(filters, without_type=DOCUMENT)
    newest = snapshot.page(notes, limit=policy.last_session, cursor=None).memories
    if not newest:
        return ()
    last = newest[0]
    if last.conversation_id is None:
        return [it for it in newest if it.conversation_id is None and it.created_at.date() == last.created_at.date()]
    session = replace(notes, conversation_id=last.conversation_id)
    return snapshot.page(session, limit=policy.last_session, cursor=None).memories


_Ask = Callable[[Snapshot, Filters, ContextPolicy], Sequence[Memory]]
KINDS: Final[Sequence[tuple[str, _Ask]]] = (
    ("pinned", _pinned),
    ("open tasks", _tasks),
    ("decisions and facts", _statements),
    ("last session", _last_session),
)
"""In their order, with what leads their headers."""
