"""The findings of the store's health checks."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from memory_common.pins import BUNDLED_MODEL, MULTILINGUAL
from memory_mcp.domain.errors import StoreError
from memory_mcp.domain.models import Condition, Finding, QueueCounts, Space


def unusable(path: Path, error: StoreError) -> Finding:
    """Report why the file cannot be used; the error's message contains the fix."""
    return Finding(Condition.FAILED, "unusable", str(error), f"fix {path} as the cause says, then try again")


def full(path: Path) -> Finding:
    """Report that the disk is full: memories can be read but not stored."""
    cause = f"{path}: the disk is full; memories can be read, but not stored"
    return Finding(Condition.FAILED, "full", cause, "free some space; nothing was lost")


def not_writable(path: Path) -> Finding:
    """Report missing write permission: memories can be read but not stored."""
    cause = f"{path} or its folder is not writable; memories can be read, but not stored"
    fix = "make both writable, or set MCP_MEMORY_READ_ONLY=1 if that is intended"
    return Finding(Condition.FAILED, "not writable", cause, fix)


NONE: Final = "there is no store yet; the first memory creates it"


def opened(path: Path) -> Finding:
    """Report the path of the file and its free disk space."""
    if not path.exists():
        return Finding(Condition.OK, "none", detail=f"{NONE}, {path}")
    return Finding(Condition.OK, "open", detail=f"{path}{_free(path)}")


def _free(path: Path) -> str:
    try:
        return f", {shutil.disk_usage(path.parent).free // 1_000_000} MB free on its disk"
    except OSError:  # the folder of the open file was moved away; the figure is optional
        return ""


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
