"""What an embedding space is: vectors of two spaces are never compared."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path


@dataclass(frozen=True)
class Space:
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

    @cached_property
    def space_id(self) -> str:
        """The model's name and 16 hex digits of a digest of every field."""
        canonical = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", self.model)
        return f"{name}-{hashlib.sha256(canonical.encode()).hexdigest()[:16]}"


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model that was found on disk and whose digests were read."""

    folder: Path
    space: Space
    pad_token_id: int
