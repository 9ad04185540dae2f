"""The findings of what waits for vectors, and of what the model reads poorly; every store of ours has them alike."""

from __future__ import annotations

from memory_common.pins import BUNDLED_MODEL, MULTILINGUAL
from memory_mcp.domain.models import Condition, Finding, QueueCounts, Space


def of_queue(queue: QueueCounts) -> Finding:
    """Report how many memories wait for vectors, and how many failed."""
    detail = f"memories: {queue.pending} pending, {queue.failed} failed"
    if queue.failed:
        return Finding(
            Condition.DEGRADED,
            "failed",
            f"the embedder refused some chunks, the latest one of {queue.last_failed}: {queue.last_error}",
            "`memory-mcp reembed` retries them, as another engine or version of the daemon will by itself; "
            "until then they are found by keywords",
            detail,
        )
    if queue.pending:
        return Finding(
            Condition.DEGRADED,
            "pending",
            "memories wait for vectors",
            "a running client computes them; or run `memory-mcp reembed`",
            detail,
        )
    return Finding(Condition.OK, "empty", detail=detail)


def of_languages(space: Space | None, english: int, other: int) -> Finding:
    """Report the languages of the newest memories, and which model reads them better.

    It is no fault: words find them all the same.
    """
    detail = f"of the newest memories, {english} are in English and {other} in other languages"
    if other <= english or space is None or not space.id.startswith(f"{BUNDLED_MODEL}-"):
        return Finding(Condition.OK, "fitting", detail=detail)
    return Finding(
        Condition.OK,
        "other languages",
        fix=f"memory-mcp daemon install --model {MULTILINGUAL}, then memory-mcp reembed",
        detail=f"{detail}, which {BUNDLED_MODEL} reads poorly; there is a model for 100 languages",
    )
