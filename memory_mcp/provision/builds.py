"""Which build of torch the user's index gives, and what room an environment with it takes."""

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
    """What is to be installed as torch; the sizes are bytes, measured on Linux x86_64."""

    requirement: str
    """Nothing where Homebrew's is reused."""
    installed: float
    """The whole environment."""
    fetched: float
    """What pip downloads for it: into its temporary folder, and again into its cache."""
    objection: str = ""
    """Why the user is to be asked before."""


REUSED: Final = Build("", 1.0 * GB, 0.3 * GB)
_CPU: Final = (1.8 * GB, 0.5 * GB)
_GPU: Final = (5.4 * GB, 3.0 * GB)
_GPU_PACKAGES: Final = ("nvidia-", "cuda-", "triton", "pytorch-triton")
_GPU_LABELS: Final = ("cu", "rocm", "xpu")
"""How the version of a build for graphics cards goes on after its +."""
_DEVICES: Final = tuple(map(Path, ("/dev/nvidiactl", "/dev/nvidia0", "/dev/nvmap", "/dev/dxg")))
"""NVIDIA's driver, that of its small boards, and that of WSL."""

_NO_USE: Final = (
    f"PyTorch {{torch}} comes from this package index with CUDA only, {_GPU[0] / GB:.1f} GB instead of "
    f"{_CPU[0] / GB:.1f} GB, and this machine has no NVIDIA device; for a build without it, set PIP_EXTRA_INDEX_URL "
    "to the index for CPUs that PyTorch's installation page names"
)


def has_gpu() -> bool:
    """Say whether this machine has a device for which CUDA is of use."""
    return any(device.exists() for device in _DEVICES)


def choose(pip: Pip, hear: Hear, torch: str, *, gpu: bool) -> Build:
    """Return the build to install; on a machine without a GPU the one for the CPU, where the user's index has one.

    Args:
        pip: of the environment.
        hear: is told pip's latest line.
        torch: the version.
        gpu: whether CUDA is of use here.

    Raises:
        ProvisionError: no index has that version.
    """
    plain = f"torch=={torch}"
    try:
        planned = pip.plan(hear, plain)
    except ProvisionError as error:
        raise ProvisionError(
            f"PyTorch {torch} is not to be had: {error}; see that pip reaches its index (PIP_INDEX_URL, pip.conf), or "
            "name another Python with --python"
        ) from error
    if sys.platform != "linux" or not _is_for_gpu(planned):
        return Build(plain, *_CPU)
    if gpu:
        return Build(plain, *_GPU)
    on_cpu = f"{plain}+cpu"  # a +cu126 beside it counts as newer
    if _is_there(pip, hear, on_cpu):
        return Build(on_cpu, *_CPU)
    return Build(plain, *_GPU, objection=_NO_USE.format(torch=torch))


def _is_there(pip: Pip, hear: Hear, requirement: str) -> bool:
    try:
        return not _is_for_gpu(pip.plan(hear, requirement))
    except ProvisionError:
        return False


def _is_for_gpu(plan: Mapping[str, str]) -> bool:
    label = plan.get("torch", "").partition("+")[2]
    return label.startswith(_GPU_LABELS) or any(name.startswith(_GPU_PACKAGES) for name in plan)


def require_room(folder: Path, build: Build, cache: Path | None = None) -> None:
    """Check that an environment fits on its disk, and the download on those of the temporary folder and the cache.

    Args:
        folder: of the environment.
        build: what is to be installed.
        cache: pip's own, where it keeps one.

    Raises:
        ProvisionError: it does not; the message names the folder and how much is missing.
    """
    scratch = Path(tempfile.gettempdir())
    wanted = {folder: max(0.0, build.installed - _size(folder)), scratch: build.fetched}
    fixes = {folder: "name another folder with --venv", scratch: "name another folder with TMPDIR"}
    if cache:
        wanted[cache] = build.fetched
        fixes[cache] = "set PIP_NO_CACHE_DIR=1, so that pip keeps no copy"
    on_disk = Counter[int]()
    for place, size in wanted.items():
        on_disk[_existing(place).stat().st_dev] += int(size)
    for place, fix in fixes.items():
        needed, free = on_disk[_existing(place).stat().st_dev], shutil.disk_usage(_existing(place)).free
        if free < needed:
            raise ProvisionError(
                f"the disk of {place} has {free / GB:.1f} GB free, and the installation needs {needed / GB:.1f} GB "
                f"there: free some, or {fix}"
            )


def _existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.exists())


def _size(folder: Path) -> int:
    """Return the bytes of a folder's files: of an environment that was broken off, a part is there."""
    return sum(os.lstat(Path(place, name)).st_size for place, _, names in os.walk(folder) for name in names)
