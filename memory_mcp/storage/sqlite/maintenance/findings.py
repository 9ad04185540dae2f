"""What the store says of its own health."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from memory_mcp.domain.errors import StoreError
from memory_mcp.domain.models import Condition, Finding, QueueCounts


def unusable(path: Path, error: StoreError) -> Finding:
    """Say why the file cannot be used; the error's own sentence has the fix."""
    return Finding(Condition.FAILED, "unusable", str(error), f"see to {path}, then try again")


def full(path: Path) -> Finding:
    """Say that nothing can be stored, and what can all the same."""
    cause = f"{path}: the disk is full; nothing can be stored, what is stored can be read"
    return Finding(Condition.FAILED, "full", cause, "free some space; nothing was lost")


def not_writable(path: Path) -> Finding:
    """Say that nothing can be stored for want of a permission, and what can all the same."""
    cause = f"{path} or its folder cannot be written; nothing can be stored, what is stored can be read"
    fix = "make both writable, or set MCP_MEMORY_READ_ONLY=1 if that is intended"
    return Finding(Condition.FAILED, "not writable", cause, fix)


NONE: Final = "there is no store: the first memory creates it"


def opened(path: Path) -> Finding:
    """Say where the file is that is open, or would be."""
    if not path.exists():
        return Finding(Condition.OK, "none", detail=f"{NONE}, {path}")
    return Finding(Condition.OK, "open", detail=f"{path}{_free(path)}")


def _free(path: Path) -> str:
    try:
        return f", {shutil.disk_usage(path.parent).free // 1_000_000} MB free on its disk"
    except OSError:  # the folder was moved away under the open file; the figure is a courtesy
        return ""


def of_queue(queue: QueueCounts) -> Finding:
    """Say what waits for vectors, and what will never have one."""
    detail = f"memories: {queue.pending} pending, {queue.failed} failed"
    if queue.failed:
        return Finding(
            Condition.DEGRADED,
            "failed",
            f"the embedder refused some passages, the latest of {queue.last_failed}: {queue.last_error}",
            "`memory-mcp reembed` tries them again, as another engine or version of the daemon will by itself; "
            "they are found by keywords meanwhile",
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
