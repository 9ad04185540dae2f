"""What an assistant should know at the start of a session, without a question.

What is pinned; the tasks that are not done; decisions and facts by date; the last session.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from memory_mcp.context.models import ContextRequest, Evidence
from memory_mcp.context.policy import ContextPolicy
from memory_mcp.context.remembered import Remembered, of_memory
from memory_mcp.domain.localtime import local_date
from memory_mcp.domain.models import DOCUMENT, Filters, Memory, Page

if TYPE_CHECKING:  # none of them is needed by a hook, which has no time for them
    from memory_mcp.domain.documents import SectionPlace
    from memory_mcp.domain.ports import Snapshot, Snapshots

PINNED: Final = "pinned"
"""The tag."""
TASK: Final = "task"
DECISION: Final = "decision"
FACT: Final = "fact"
STATUS: Final = "status"
DONE: Final = "done"
LAST_SESSION: Final = "last session"
"""The only kind that keeps conversations together; in the others the newest comes first."""


class Listing(Protocol):
    """What of a snapshot a start needs."""

    def page(self, filters: Filters, *, limit: int, cursor: str | None) -> Page:
        """Return memories newest first."""
        ...

    def section_places(self, keys: Sequence[int]) -> Mapping[int, SectionPlace]:
        """Return where sections lie in their documents, by key."""
        ...


async def recall(request: ContextRequest, store: Snapshots, policy: ContextPolicy) -> Remembered:
    """Return what the store knows for a start, of all namespaces."""
    return await store.read(lambda it: _read(it, request, policy))


def _read(snapshot: Snapshot, request: ContextRequest, policy: ContextPolicy) -> Remembered:
    found = listed(snapshot, request, policy)
    following = snapshot.neighbours([each.key for each in found if each.key is not None])
    return Remembered(found, following=following, weak=not found)


def listed(snapshot: Listing, request: ContextRequest, policy: ContextPolicy) -> list[Evidence]:
    """Return what is known for a start."""
    found: dict[int, tuple[Memory, str, int]] = {}
    for order, (heading, ask) in enumerate(KINDS):
        for namespace in (request.filters.namespace, *request.joined):
            documents = None if request.with_documents else False
            filters = replace(request.filters, namespace=namespace, documents=documents)
            for memory in ask(snapshot, filters, policy):
                if not request.has_seen(memory):
                    found.setdefault(memory.key, (memory, heading, order))
    sections = [key for key, (memory, *_) in found.items() if memory.type == DOCUMENT]
    places = snapshot.section_places(sections) if sections else {}
    return [_evidence(*each, places.get(key), request) for key, each in found.items()]


def _evidence(
    memory: Memory, heading: str, order: int, place: SectionPlace | None, request: ContextRequest
) -> Evidence:
    made = of_memory(memory, place, is_joined=memory.namespace != request.filters.namespace)
    in_talk = place is not None or heading == LAST_SESSION
    return replace(made, heading=heading, order=order, conversation=made.conversation if in_talk else "")


def _pinned(snapshot: Listing, filters: Filters, policy: ContextPolicy) -> Sequence[Memory]:
    """Return what is tagged so, and as the filters want it; any of their tags is asked for alone."""
    any_of = [(tag,) for tag in filters.tags] if filters.tag_match == "any" else [filters.tags]
    asked = [replace(filters, tags=(PINNED, *tags), tag_match="all") for tags in any_of or [()]]
    found = [memory for each in asked for memory in snapshot.page(each, limit=policy.pinned, cursor=None).memories]
    return _newest_first(found)


def _tasks(snapshot: Listing, filters: Filters, policy: ContextPolicy) -> Sequence[Memory]:
    undone = filters.metadata if STATUS in filters.metadata else {**filters.metadata, STATUS: {"ne": DONE}}
    return list(_of_type(snapshot, replace(filters, metadata=undone), TASK, policy))


def _statements(snapshot: Listing, filters: Filters, policy: ContextPolicy) -> Sequence[Memory]:
    both = [*_of_type(snapshot, filters, DECISION, policy), *_of_type(snapshot, filters, FACT, policy)]
    return _newest_first(both)


def _newest_first(memories: Sequence[Memory]) -> list[Memory]:
    return sorted(memories, key=lambda memory: (memory.created_at, memory.key), reverse=True)


def _of_type(snapshot: Listing, filters: Filters, kind: str, policy: ContextPolicy) -> Iterator[Memory]:
    if filters.type in {None, kind}:
        yield from snapshot.page(replace(filters, type=kind), limit=policy.per_kind, cursor=None).memories


def _last_session(snapshot: Listing, filters: Filters, policy: ContextPolicy) -> Sequence[Memory]:
    """Return the memories of the newest one's conversation; without one, those of its day."""
    notes = replace(filters, documents=False)
    newest = snapshot.page(notes, limit=policy.last_session, cursor=None).memories
    if not newest:
        return ()
    last = newest[0]
    if last.conversation_id is None:
        day = local_date(last.created_at)
        return [it for it in newest if it.conversation_id is None and local_date(it.created_at) == day]
    session = replace(notes, conversation_id=last.conversation_id)
    return snapshot.page(session, limit=policy.last_session, cursor=None).memories


_Ask = Callable[[Listing, Filters, ContextPolicy], Sequence[Memory]]
KINDS: Final[Sequence[tuple[str, _Ask]]] = (
    ("pinned", _pinned),
    ("open tasks", _tasks),
    ("decisions and facts", _statements),
    (LAST_SESSION, _last_session),
)
"""In their order, with what leads their headers."""
