"""What an embedding space is: vectors of two spaces are never compared."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path


@dataclass(frozen=True)
class EmbeddingSpace:
    """Everything that decides which vector a text gets; a change in any of it makes another space."""

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
    """Activations of the layers between pooling and normalisation, with a + between them; `weights_sha256` has the
    layers."""
    lower_case: bool = False
    """Whether texts are made lower-case before the tokenizer sees them."""
    config_sha256: str = ""
    """Of what the transformer's config.json says of its computation; empty is what that of the bundled model says."""

    @cached_property
    def space_id(self) -> str:
        """The model's name and 16 hex digits of a digest of every field.

        A field that has a default, and has it, is left out: the ids of stores are older than such a field.
        """
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        told = {field.name: values[field.name] for field in fields(self) if values[field.name] != field.default}
        canonical = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", self.model)
        return f"{name}-{hashlib.sha256(canonical.encode()).hexdigest()[:16]}"


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model that was found on disk and whose digests were read."""

    folder: Path
    """Of the transformer and its tokenizer."""
    space: EmbeddingSpace
    pad_token_id: int
    width: int
    """Dimensions before they are cut to those of the space."""
    dense: tuple[Path, ...] = ()
    """Folders of the layers between pooling and normalisation, whose activations the space names."""

    @property
    def head(self) -> str:
        """What follows the transformer, short and in letters of a file's name."""
        cut = str(self.space.dimensions) if self.space.dimensions < self.width else ""
        return "-".join(filter(None, (self.space.pooling, self.space.dense, cut)))

    def dump(self) -> str:
        """Return JSON, for another process."""
        return json.dumps(asdict(self), default=str)

    @staticmethod
    def parse(text: str) -> ModelFiles:
        """Read what `dump` wrote; raises ValueError, KeyError or TypeError."""
        told = json.loads(text)
        told |= {"space": EmbeddingSpace(**told["space"]), "folder": Path(told["folder"])}
        return ModelFiles(**told | {"dense": tuple(map(Path, told["dense"]))})
