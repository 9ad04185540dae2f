"""The number of processors that this process may use; a container or an affinity may limit it."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path


def usable(root: Path = Path("/")) -> int:
    """Return the number of processors that the affinity and the control groups' quotas allow; at least 1.

    Half a processor counts as a whole one, because forward passes come in bursts and seldom use up a quota.

    Args:
        root: where proc and sys are.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min([float(allowed), *_quotas(root)])))


def _quotas(root: Path) -> Iterator[float]:
    """Yield the processors of each quota on this process: its group's and those of the parent groups."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        number, controllers, group = [*line.split(":", 2), "", ""][:3]
        if number == "0" and group:  # version 2
            mounted = root / "sys/fs/cgroup"
        elif "cpu" in controllers.split(","):
            mounted = root / "sys/fs/cgroup/cpu"
        else:
            continue
        for folder in _up(mounted, group):
            quota, period = _limits(folder)
            if quota.isdecimal() and period.isdecimal() and int(quota) and int(period):
                yield int(quota) / int(period)


def _up(mounted: Path, group: str) -> Iterator[Path]:
    """Yield the group's folder and its parents; in a container its path may be the host's and not exist."""
    folder = mounted / group.lstrip("/")
    while folder != mounted and folder.is_relative_to(mounted):
        yield folder
        folder = folder.parent
    yield mounted


def _limits(folder: Path) -> tuple[str, str]:
    """Return the quota and its period in microseconds, of version 2 or 1; "max" and "-1" are none."""
    if both := _text(folder / "cpu.max").split():
        return both[0], both[-1]
    return _text(folder / "cpu.cfs_quota_us").strip(), _text(folder / "cpu.cfs_period_us").strip()


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii")
    except (OSError, ValueError):
        return ""
