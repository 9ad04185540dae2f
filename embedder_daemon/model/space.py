"""The identity of an embedding space; vectors of different spaces are never compared."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path


@dataclass(frozen=True)
class EmbeddingSpace:
    """Everything that determines a text's vector; a change in any field makes another space."""

    model: str
    weights_sha256: str
    tokenizer_sha256: str
    pooling: str
    normalised: bool
    query_prompt: str
    document_prompt: str
    max_tokens: int
    dimensions: int
    dense: str = ""
    """Activations of the layers between pooling and normalisation, joined by +; `weights_sha256` has their weights."""
    lower_case: bool = False
    """Whether texts are lower-cased before tokenising."""
    config_sha256: str = ""
    """Digest of the transformer's configuration as far as it affects the computation; empty for the bundled model's."""

    @cached_property
    def space_id(self) -> str:
        """The model's name and 16 hex digits of a digest of the fields.

        Fields with their default value are left out, because they were added after the first ids were stored.
        """
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        told = {field.name: values[field.name] for field in fields(self) if values[field.name] != field.default}
        canonical = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", self.model)
        return f"{name}-{hashlib.sha256(canonical.encode()).hexdigest()[:16]}"


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model found on disk, with its digests."""

    folder: Path
    """The folder of the transformer and its tokenizer."""
    space: EmbeddingSpace
    pad_token_id: int
    width: int
    """Dimensions before truncation to those of the space."""
    dense: tuple[Path, ...] = ()
    """Folders of the layers between pooling and normalisation."""

    @property
    def head(self) -> str:
        """A short name for the steps after the transformer, valid in a file name."""
        cut = str(self.space.dimensions) if self.space.dimensions < self.width else ""
        return "-".join(filter(None, (self.space.pooling, self.space.dense, cut)))

    def dump(self) -> str:
        """Return JSON, for another process."""
        return json.dumps(asdict(self), default=str)

    @staticmethod
    def parse(text: str) -> ModelFiles:
        """Parse the output of `dump`; raises ValueError, KeyError or TypeError."""
        told = json.loads(text)
        told |= {"space": EmbeddingSpace(**told["space"]), "folder": Path(told["folder"])}
        return ModelFiles(**told | {"dense": tuple(map(Path, told["dense"]))})
