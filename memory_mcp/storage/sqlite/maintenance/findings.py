"""The findings of the store's health checks."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from memory_mcp.domain.errors import LockedError, StoreError
from memory_mcp.domain.models import Condition, Finding
from memory_mcp.storage.sqlite.db.encryption import is_encrypted


def unusable(path: Path, error: StoreError) -> Finding:
    """Report why the file cannot be used; the error's message contains the fix."""
    if isinstance(error, LockedError):
        return Finding(Condition.FAILED, "locked", *error.told())
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
    how = ", encrypted" if is_encrypted(path) else ""
    return Finding(Condition.OK, "open", detail=f"{path}{how}{_free(path)}")


def _free(path: Path) -> str:
    try:
        return f", {shutil.disk_usage(path.parent).free // 1_000_000:,} MB free on its disk"
    except OSError:  # the folder of the open file was moved away; the figure is optional
        return ""
