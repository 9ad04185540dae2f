"""How many processors the daemon computes on where it may not have all of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from embedder_daemon.engines.base import EngineOptions
from embedder_daemon.system.processors import usable

CPUS = os.cpu_count() or 1


@pytest.mark.parametrize(
    ("group", "files", "wanted"),
    [
        ("0::/\n", {"cpu.max": "100000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "50000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "max 100000\n"}, CPUS),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "30000 100000\n"}, 1),
        ("0::/a/b\n", {"a/b/cpu.max": "90000 100000\n", "a/cpu.max": "max 100000\n"}, 1),
        ("0::/host/of/this\n", {"cpu.max": "1000 100000\n"}, 1),
        ("0::/\n", {}, CPUS),
        ("0::/../../x\n", {"cpu.max": "1000 100000\n"}, 1),
        ("4:cpu,cpuacct:/a\n0::/\n", {"cpu/a/cpu.cfs_quota_us": "20000\n", "cpu/a/cpu.cfs_period_us": "100000\n"}, 1),
        ("4:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, CPUS),
        ("4:cpuset:/\n", {"cpu/cpu.cfs_quota_us": "1000\n", "cpu/cpu.cfs_period_us": "100000\n"}, CPUS),
        ("0::/\n", {"cpu.max": "words\n"}, CPUS),
        ("0::/\n", {"cpu.max": "0 0\n"}, CPUS),
        ("", {"cpu.max": "1000 100000\n"}, CPUS),
        ("\n0\n", {"cpu.max": "1000 100000\n"}, CPUS),
    ],
)
def test_a_quota_counts(group: str, files: dict[str, str], wanted: int, tmp_path: Path) -> None:
    """The least quota of the group and those above it, in both versions of control groups; nonsense is none."""
    written = {f"sys/fs/cgroup/{name}": text for name, text in files.items()} | {"proc/self/cgroup": group}
    for name, text in written.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert usable(tmp_path) == min(wanted, usable())


def test_a_quota_of_more_than_there_are_counts_for_nothing(tmp_path: Path) -> None:
    """Two and a half processors are three, where the machine has as many."""
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/")
    (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
    (tmp_path / "sys/fs/cgroup/cpu.max").write_text("250000 100000")
    assert usable(tmp_path) == min(3, usable(tmp_path / "nowhere"))
    (tmp_path / "sys/fs/cgroup/cpu.max").write_text("99900000 100000")
    assert usable(tmp_path) == usable(tmp_path / "nowhere")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no process to processors")
def test_an_affinity_counts() -> None:
    """A process that is bound to one processor computes on one thread, unless it was told otherwise."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert EngineOptions().cpu_threads == 1
        assert EngineOptions(threads=3).cpu_threads == 3
    finally:
        os.sched_setaffinity(0, before)
