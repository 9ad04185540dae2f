"""What goes into the daemon's environment beside our own code: pins, hashes, the model and its digests."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from memory_common import pins
from memory_common.engines import ENGINES
from memory_mcp.provision import source
from memory_mcp.provision.errors import ProvisionError

MODEL_DIGESTS: Final[Mapping[str, str]] = {
    f"{pins.MODEL_PACKAGE}/model/model.safetensors": pins.WEIGHTS_SHA256,
    f"{pins.MODEL_PACKAGE}/model/tokenizer.json": pins.TOKENIZER_SHA256,
}
"""sha256 of the model's files, by their place in site-packages."""


@dataclass(frozen=True)
class Recipe:
    """What goes into the environment beside our own code."""

    requirements: Path = field(default_factory=source.requirements)
    torch: str = pins.TORCH
    model: str = pins.MODEL
    digests: Mapping[str, str] = field(default_factory=lambda: MODEL_DIGESTS)
    extras: tuple[str, ...] = ()
    """Packages beside the requirements, for engines that are optional."""

    def locks(self, python: str) -> tuple[Path, ...]:
        """Return the files with the hashes of all that a Python like "3.12.1" needs on this platform, or nothing."""
        files = self._locks()
        return files if all(_covers(file, python) for file in files) else ()

    def _locks(self) -> tuple[Path, ...]:
        names = ("requirements.lock", "onnx.lock") if self.extras else ("requirements.lock",)
        return tuple(self.requirements.with_name(name) for name in names)

    def digest(self) -> str:
        """Return what changes when the environment has to be built again.

        Raises:
            ProvisionError: a file of ours is missing.
        """
        parts = [self.torch, self.model, *self.extras, *(f"{name}={sha}" for name, sha in sorted(self.digests.items()))]
        try:
            required = self.requirements.read_bytes() + b"".join(
                file.read_bytes() for file in self._locks() if file.is_file()
            )
        except OSError as error:
            raise ProvisionError(f"{self.requirements}: {error.strerror}; install memory-mcp again") from error
        return hashlib.sha256("\0".join(parts).encode() + required).hexdigest()


def extras(engine: str, *, onnx: bool) -> tuple[str, ...]:
    """Return what an engine needs beside the requirements; with `onnx`, what the engine onnx does as well."""
    return ENGINES["onnx"].extras if onnx else ENGINES[engine].extras if engine in ENGINES else ()


def pins_digest(recipe: Recipe) -> str:
    """Return what changes when our code needs other packages, whatever was chosen."""
    return replace(recipe, extras=()).digest()


def _covers(lock: Path, python: str) -> bool:
    """Whether a lock file names this platform and this Python in its first lines."""
    if not lock.is_file():
        return False
    head = [line.split() for line in lock.read_text(encoding="utf-8").splitlines() if line.startswith("# p")]
    here = f"{platform.system().lower()}-{platform.machine().lower()}"
    words = {word for line in head for word in line}
    return here in words and python.rpartition(".")[0] in words


def verify_digests(folder: Path, digests: Mapping[str, str]) -> None:
    """Check the model's files.

    Raises:
        ProvisionError: a file is missing or is not the published one.
    """
    for name, expected in digests.items():
        try:
            with (folder / name).open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ProvisionError(f"the model's file {folder / name} cannot be read: {error.strerror}") from error
        if found != expected:
            raise ProvisionError(f"the model's file {folder / name} is damaged: sha256 {found}, expected {expected}")
