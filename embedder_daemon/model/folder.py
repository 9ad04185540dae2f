"""Reads the files of one model; errors say how to fix this model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from embedder_daemon.errors import LoadError, ModelDamagedError, ModelMissingError

WEIGHTS: Final = "model.safetensors"
SHARDS: Final = "model.safetensors.index.json"
_MARKS: Final = ("modules.json", "tokenizer.json")
_PICKLED: Final = ("pytorch_model.bin", "pytorch_model.bin.index.json")


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A folder with modules.json, and the fix for a bad file in it."""

    root: Path
    fix: str

    def require(self, file: str) -> Path:
        """Return the path of an existing file; raises ModelMissingError."""
        path = self.root / file
        if path.is_file():
            return path
        dangles = " (a dangling link)" if path.is_symlink() else ""
        mark = "; without it, this is not a sentence-transformers model with a fast tokenizer" * (path.name in _MARKS)
        raise ModelMissingError(f"the model's file {path}{dangles} is missing: {self.fix}{mark}")

    def has(self, file: str) -> bool:
        """Whether an optional file exists; a dangling link raises ModelMissingError."""
        path = self.root / file
        return bool(self.require(file)) if path.is_symlink() else path.is_file()

    def load(self, file: str) -> object:
        """Return the value of a JSON file; raises ModelMissingError or ModelDamagedError."""
        path = self.require(file)
        try:
            return json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            raise ModelDamagedError(f"{path} cannot be read as JSON: {self.fix}") from error

    def text(self, file: str) -> str:
        """Return the contents of a text file; raises ModelMissingError or ModelDamagedError."""
        path = self.require(file)
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise ModelDamagedError(f"{path} cannot be read as UTF-8: {self.fix}") from error

    def table(self, file: str) -> dict[str, object]:
        """Return the object in a JSON file; raises as `load`."""
        value = self.load(file)
        if not isinstance(value, dict):
            raise ModelDamagedError(f"{self.root / file} is not a JSON object: {self.fix}")
        return value

    def optional(self, *files: str) -> dict[str, object]:
        """Return the object in the first of these files that exists, else an empty one; raises as `load`."""
        return next((self.table(file) for file in files if self.has(file)), {})

    def whole(self, file: str, key: str) -> int:
        """Return a required positive integer of a JSON file; raises as `load`."""
        value = self.table(file).get(key)
        if not isinstance(value, int) or value < 1:
            raise ModelDamagedError(f"{self.root / file} has no positive integer {key!r}: {self.fix}")
        return value

    def weights(self, folder: str) -> list[str]:
        """Return the files of a module's weights: one, or the shards named in its index.

        Raises:
            ModelMissingError: a file is missing.
            ModelDamagedError: the index is invalid.
            LoadError: the only weights are pickled, which may execute code when read.
        """
        if not self.has(folder + WEIGHTS) and self.has(folder + SHARDS):
            return self._shards(folder)
        if not self.has(folder + WEIGHTS) and (pickled := [file for file in _PICKLED if self.has(folder + file)]):
            raise LoadError(
                f"the model {self.root} has its weights in {folder}{pickled[0]} only, but {WEIGHTS} is needed: load it "
                "with sentence-transformers, save it with save_pretrained, and set EMBEDDER_MODEL to that folder"
            )
        self.require(folder + WEIGHTS)
        return [folder + WEIGHTS]

    def _shards(self, folder: str) -> list[str]:
        shards = self.table(folder + SHARDS).get("weight_map")
        if not isinstance(shards, dict) or not shards:
            raise ModelDamagedError(f"{self.root / folder / SHARDS} names no files: {self.fix}")
        files = sorted({folder + str(file) for file in shards.values()})
        for file in files:
            self.require(file)
        return files

    def sha256(self, file: str) -> str:
        """Return a file's digest; raises ModelMissingError or ModelDamagedError."""
        path = self.require(file)
        try:
            with path.open("rb") as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise ModelDamagedError(f"{path} cannot be read ({error.strerror}): fix its permissions") from error

    def sha256_of_all(self, files: Iterable[str]) -> str:
        """Return the digest of one file, or of the names and digests of several."""
        digests = {file: self.sha256(file) for file in files}
        if len(digests) == 1:
            return next(iter(digests.values()))
        lines = "".join(f"{digest}  {file}\n" for file, digest in sorted(digests.items()))
        return hashlib.sha256(lines.encode()).hexdigest()
