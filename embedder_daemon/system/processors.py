"""How many processors this process may use: fewer than the machine has, in a container or under an affinity."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path


def usable(root: Path = Path("/")) -> int:
    """Return the processors that the affinity allows, or fewer where the control groups' quota does; at least 1.

    Half a processor counts as a whole one: a quota is seldom used up by forward passes, which come in bursts.

    Args:
        root: where proc and sys are.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min([float(allowed), *_quotas(root)])))


def _quotas(root: Path) -> Iterator[float]:
    """Yield the processors of each quota that holds for this process; its group's and those of the groups above it."""
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
    """Yield the group's folder and those above it; in a container its path may be the host's, which is not there."""
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
