"""Chooses a build of torch from the user's package index, and checks the disk space that it needs."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from memory_mcp.provision.errors import ProvisionError
from memory_mcp.provision.pip import Pip
from memory_mcp.provision.process import Hear

GB: Final = 1_000_000_000


@dataclass(frozen=True)
class Build:
    """The torch requirement to install; sizes are bytes, measured on Linux x86_64."""

    requirement: str
    """For pip; empty if Homebrew's torch is reused."""
    installed: float
    """The whole environment."""
    fetched: float
    """The download, which pip writes to its temporary folder and again to its cache."""
    objection: str = ""
    """Why the user should be asked first; empty if there is no reason."""


REUSED: Final = Build("", 1.0 * GB, 0.3 * GB)
_CPU: Final = (1.8 * GB, 0.5 * GB)
_GPU: Final = (5.4 * GB, 3.0 * GB)
_GPU_PACKAGES: Final = ("nvidia-", "cuda-", "triton", "pytorch-triton")
_GPU_LABELS: Final = ("cu", "rocm", "xpu")
"""Prefixes of the local version (after the +) of a GPU build."""
_DEVICES: Final = tuple(map(Path, ("/dev/nvidiactl", "/dev/nvidia0", "/dev/nvmap", "/dev/dxg")))
"""Device files of NVIDIA's driver, of its Jetson boards, and of WSL."""

_CUDA_UNUSED: Final = (
    f"this package index has PyTorch {{torch}} with CUDA only, which takes {_GPU[0] / GB:.1f} GB instead of "
    f"{_CPU[0] / GB:.1f} GB, and this machine has no NVIDIA device; for a CPU build, set PIP_EXTRA_INDEX_URL "
    "to the CPU index named on PyTorch's installation page"
)


def has_gpu() -> bool:
    """Whether this machine has a device that can use CUDA."""
    return any(device.exists() for device in _DEVICES)


def choose(pip: Pip, hear: Hear, torch: str, *, gpu: bool) -> Build:
    """Return the build to install; without a GPU, prefer the CPU build if the user's index has one.

    Args:
        pip: the environment's pip.
        hear: receives pip's latest line of output.
        torch: the version of torch.
        gpu: whether this machine can use CUDA.

    Raises:
        ProvisionError: no index has that version.
    """
    plain = f"torch=={torch}"
    try:
        planned = pip.plan(hear, plain)
    except ProvisionError as error:
        raise ProvisionError(
            f"pip cannot find PyTorch {torch}: {error}; check that pip reaches its index (PIP_INDEX_URL, pip.conf), or "
            "choose another Python with --python"
        ) from error
    if sys.platform != "linux" or not _is_for_gpu(planned):
        return Build(plain, *_CPU)
    if gpu:
        return Build(plain, *_GPU)
    on_cpu = f"{plain}+cpu"  # named exactly, because pip prefers +cu126 as the newer version
    if _has_cpu_build(pip, hear, on_cpu):
        return Build(on_cpu, *_CPU)
    return Build(plain, *_GPU, objection=_CUDA_UNUSED.format(torch=torch))


def _has_cpu_build(pip: Pip, hear: Hear, requirement: str) -> bool:
    try:
        return not _is_for_gpu(pip.plan(hear, requirement))
    except ProvisionError:
        return False


def _is_for_gpu(plan: Mapping[str, str]) -> bool:
    label = plan.get("torch", "").partition("+")[2]
    return label.startswith(_GPU_LABELS) or any(name.startswith(_GPU_PACKAGES) for name in plan)


def require_room(folder: Path, build: Build, cache: Path | None = None) -> None:
    """Check that the disks have room for the environment, the temporary download and pip's cache.

    Args:
        folder: the environment's.
        build: the build to install.
        cache: pip's cache folder, if it keeps one.

    Raises:
        ProvisionError: a disk is too full; the message names the folder and the space needed.
    """
    scratch = Path(tempfile.gettempdir())
    wanted = {folder: max(0.0, build.installed - _size(folder)), scratch: build.fetched}
    fixes = {folder: "choose another folder with --venv", scratch: "choose another folder with TMPDIR"}
    if cache:
        wanted[cache] = build.fetched
        fixes[cache] = "set PIP_NO_CACHE_DIR=1 so that pip keeps no copy"
    on_disk = Counter[int]()
    for place, size in wanted.items():
        on_disk[_existing(place).stat().st_dev] += int(size)
    for place, fix in fixes.items():
        needed, free = on_disk[_existing(place).stat().st_dev], shutil.disk_usage(_existing(place)).free
        if free < needed:
            raise ProvisionError(
                f"the disk of {place} has {free / GB:.1f} GB free, but the installation needs {needed / GB:.1f} GB "
                f"there; free some space, or {fix}"
            )


def _existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.exists())


def _size(folder: Path) -> int:
    """Return the bytes of a folder's files; an interrupted build has left some of them."""
    return sum(os.lstat(Path(place, name)).st_size for place, _, names in os.walk(folder) for name in names)
