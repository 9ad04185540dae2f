"""The golden check: compares an engine's vectors, alone and batched, with float32 ones computed by torch.

`golden.json` has those of the bundled model, `golden_multilingual.json` those of the multilingual one. For other models
autotune puts them into the cache folder.
"""

from __future__ import annotations

import base64
import json
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from operator import mul
from pathlib import Path
from typing import Final

from embedder_api.v1 import wire

from embedder_daemon.engines import cache
from embedder_daemon.engines.base import EmbedTask, Encoded, Engine
from embedder_daemon.errors import LoadError
from embedder_daemon.model.space import EmbeddingSpace

MIN_COSINE: Final = 0.9995
_ROWS: Final = 8  # texts per batch; they are sorted by length, so that few tokens are padding
_SHIPPED: Final = Path(__file__).with_name("golden.json")
_MULTILINGUAL: Final = _SHIPPED.with_name("golden_multilingual.json")


@dataclass(frozen=True, slots=True)
class GoldenVectors:
    """Texts by length, and a vector for each."""

    space_id: str
    texts: tuple[str, ...]
    vectors: tuple[tuple[float, ...], ...]


def find(space: EmbeddingSpace) -> GoldenVectors | None:
    """Return a space's golden vectors, shipped or else cached; None if neither can be read."""
    for path in (_SHIPPED, _MULTILINGUAL, _cached(space)):
        try:
            golden = _parse(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, KeyError, TypeError, struct.error):
            continue
        if golden.space_id == space.space_id:
            return golden
    return None


def make(engine: Engine, texts: Sequence[str]) -> GoldenVectors:
    """Compute each text alone; `engine` is torch with float32."""
    rows = [engine.forward([encoded])[0] for encoded in engine.encode(texts, EmbedTask.DOCUMENT)]
    return GoldenVectors(engine.facts.space.space_id, tuple(texts), tuple(tuple(wire.unpack(row)) for row in rows))


def keep(golden: GoldenVectors, space: EmbeddingSpace) -> None:
    """Write them to the cache folder; raises OSError."""
    cache.write(_cached(space), dump(golden))


def check(engine: Engine, known: GoldenVectors | None = None) -> float | None:
    """Return the worst cosine, alone and batched; None if there is nothing to compare with.

    Args:
        engine: the engine to check.
        known: the reference; by default the result of `find` for the engine's space.

    Raises:
        LoadError: a cosine is below MIN_COSINE.
    """
    golden = known or find(engine.facts.space)
    if golden is None:
        return None
    worst = measure(engine, golden)
    if worst < MIN_COSINE:
        facts = engine.facts
        raise LoadError(
            f"the engine {facts.name} ({facts.precision}, {facts.device}) computes wrong vectors: cosine {worst:.6f} "
            f"to the golden ones, but at least {MIN_COSINE} is needed; set EMBEDDER_ENGINE=torch and "
            "EMBEDDER_PRECISION=float32"
        )
    return worst


def measure(engine: Engine, golden: GoldenVectors) -> float:
    """Return the worst cosine of the golden texts: alone, with texts of similar length, and short with long."""
    encoded = engine.encode(golden.texts, EmbedTask.DOCUMENT)
    alone = [row for text in encoded for row in engine.forward([text])]
    batched = [row for batch in batches(encoded) for row in engine.forward(batch)]
    uneven = _uneven(len(encoded))
    beside = engine.forward([encoded[place] for place in uneven])
    return min(map(cosine, alone + batched + beside, [*golden.vectors * 2, *(golden.vectors[it] for it in uneven)]))


def _uneven(texts: int) -> list[int]:
    """Return the indexes of a batch that is mostly padding: the shortest, a middle and the longest text."""
    return sorted({0, texts // 2, texts - 1})


def batches(encoded: Sequence[Encoded]) -> list[Sequence[Encoded]]:
    """Split into batches in order."""
    return [encoded[start : start + _ROWS] for start in range(0, len(encoded), _ROWS)]


def texts() -> tuple[str, ...]:
    """Return the shipped texts, which are used for every model."""
    return _parse(_SHIPPED.read_text(encoding="utf-8")).texts


def dump(golden: GoldenVectors) -> str:
    """Return JSON with vectors as float16 in base64: 33 KB, and an error of 1e-7 in a cosine."""
    vectors = [base64.b64encode(struct.pack(f"<{len(row)}e", *row)).decode() for row in golden.vectors]
    rows = [{"text": text, "vector": vector} for text, vector in zip(golden.texts, vectors, strict=True)]
    return json.dumps({"space_id": golden.space_id, "rows": rows}, ensure_ascii=False, indent=1) + "\n"


def _parse(text: str) -> GoldenVectors:
    fields = json.loads(text)
    vectors = [base64.b64decode(row["vector"]) for row in fields["rows"]]
    return GoldenVectors(
        space_id=str(fields["space_id"]),
        texts=tuple(str(row["text"]) for row in fields["rows"]),
        vectors=tuple(struct.unpack(f"<{len(row) // 2}e", row) for row in vectors),
    )


def _cached(space: EmbeddingSpace) -> Path:
    return cache.folder() / "golden" / f"{space.space_id}.json"


def cosine(row: bytes, vector: Sequence[float]) -> float:
    """Return the cosine of a float32 row to a vector; 0 if the row is all zeros, not finite, or of another width."""
    values = wire.unpack(row)
    if len(values) != len(vector):
        return 0.0
    lengths = (sum(map(mul, values, values)) * sum(map(mul, vector, vector))) ** 0.5
    cosine = float(sum(map(mul, values, vector)) / lengths) if lengths else 0.0
    return cosine if math.isfinite(cosine) else 0.0  # min() would ignore a NaN
