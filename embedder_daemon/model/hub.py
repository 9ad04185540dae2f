"""The hub's cache on this disk. The hub is never contacted: a missing model is an error with the command to run."""

from __future__ import annotations

import importlib
import re
import shlex
import sys
from pathlib import Path
from typing import Final

from embedder_daemon.errors import INSTALL, ModelMissingError

_ID: Final = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_PREFIX: Final = "models--"


def is_id(model: str) -> bool:
    """Whether it looks like owner/name."""
    return bool(_ID.fullmatch(model))


def command(repository: str) -> str:
    """Return the shell command that downloads it."""
    return shlex.join([sys.executable, "-I", "-m", "huggingface_hub.cli.hf", "download", repository])


def cache() -> Path:
    """Return the cache folder according to the library's own variables (HF_HUB_CACHE, HF_HOME); takes milliseconds.

    Raises:
        ModelMissingError: the library is not installed.
    """
    try:  # imported here, because only models from the hub's cache need it
        constants = importlib.import_module("huggingface_hub.constants")
    except ModuleNotFoundError as error:
        raise ModelMissingError(
            f"a model's hub id needs the package {error.name}: {INSTALL}, or set EMBEDDER_MODEL to a folder"
        ) from error
    return Path(str(constants.HF_HUB_CACHE))


def snapshot(repository: str, folder: Path, revision: str = "main") -> Path:
    """Return the folder of a revision's downloaded snapshot; its files may be links, even dangling ones.

    Args:
        repository: owner/name.
        folder: from `cache`.
        revision: a branch, a tag or a full commit hash.

    Raises:
        ModelMissingError: there is none.
    """
    base = _base(repository, folder)
    reference = base / "refs" / revision
    try:
        found = base / "snapshots" / reference.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        found = base / "snapshots" / revision if _COMMIT.fullmatch(revision) else reference
    if not found.is_dir():
        raise ModelMissingError(
            f"the model {repository} is not a folder, and {found} is not in the hub's cache: run {command(repository)}"
        )
    return found


def is_interrupted(repository: str, folder: Path) -> bool:
    """Whether a download was interrupted or is still running."""
    return any((_base(repository, folder) / "blobs").glob("*.incomplete"))


def name_of(folder: Path) -> str:
    """Return a model folder's name; for a snapshot, whose own name is a commit, its repository's."""
    repository = folder.parent.parent.name
    if folder.parent.name == "snapshots" and repository.startswith(_PREFIX):
        return repository.split("--", 2)[-1]  # the name itself may contain two dashes
    return folder.name


def _base(repository: str, folder: Path) -> Path:
    return folder / (_PREFIX + repository.replace("/", "--"))
