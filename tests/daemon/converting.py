"""The daemon as it is, whose hash engine converts a model before it serves: `python -m tests.daemon.converting`.

The converter is the real one; torch and openvino are what `write_libraries` wrote.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from dataclasses import replace
from pathlib import Path
from typing import Final

from embedder_daemon import __main__
from embedder_daemon.engines import converted, hash_engine
from embedder_daemon.engines.base import EngineOptions
from embedder_daemon.engines.hash_engine import HashEngine
from embedder_daemon.model.space import ModelFiles
from tests.daemon.daemonkit import ROOT

KIND: Final = replace(converted.OPENVINO, package="pydantic")
"""A conversion that belongs to a version of what the light interpreter has."""
_LIBRARIES: Final = {
    "openvino/__init__.py": """
from pathlib import Path
import numpy

class Type:
    i64 = None

class Core:
    # What it compiles has the vectors of the torch below.

    def compile_model(self, *_):
        return self

    create_infer_request = lambda self: self

    def infer(self, matrices, **_):
        self.data = numpy.ones((len(matrices["input_ids"]), 4), numpy.float32)

    get_output_tensor = lambda self, _: self

def convert_model(*_, **__):
    return None

def save_model(_, graph, **__):
    graph.write_text("graph")
    graph.with_suffix(".bin").write_text("weights")
""",
    "safetensors/torch.py": "load_file = None",
    "transformers/__init__.py": """
from types import SimpleNamespace
import torch

MODEL_FOR_TEXT_ENCODING_MAPPING = {}
AttentionMaskInterface = SimpleNamespace(register=lambda *_: None)
AutoConfig = SimpleNamespace(from_pretrained=lambda *_, **__: SimpleNamespace(is_encoder_decoder=False))
AutoModel = SimpleNamespace(from_pretrained=lambda *_, **__: (torch.nn.Module(), {"missing_keys": []}))
""",
    "transformers/masking_utils.py": "sdpa_mask = None",
    "tokenizers/__init__.py": """
class Tokenizer:
    # Every text is of a thousand tokens.

    from_str = staticmethod(lambda _: Tokenizer())
    no_truncation = no_padding = lambda self: None
    num_special_tokens_to_add = lambda self, is_pair: 0
    encode_batch = lambda self, texts, add_special_tokens: [Encoding()]
    post_process = lambda self, encoding: encoding

class Encoding:
    def __init__(self):
        self.ids = list(range(1000))

    __len__ = lambda self: len(self.ids)
    token_to_chars = lambda self, place: (place, place + 1)

    def truncate(self, tokens):
        self.ids = self.ids[:tokens]
""",
    "transformers/utils/__init__.py": "from . import logging",
    "transformers/utils/logging.py": "set_verbosity_error = disable_progress_bar = lambda: None",
    "torch/__init__.py": """
import contextlib, os, pathlib, threading, types

class Module:
    def __init__(self, *_):
        pass

    def __call__(self, *_):
        return [[1.0] * 4]

    def eval(self):
        return self

def ones(*_, **__):
    pathlib.Path(os.environ["CONVERTER"]).write_text(str(os.getpid()))
    if os.environ.get("HANGS"):
        threading.Event().wait()

long = float32 = None
from_numpy = lambda matrix: matrix
inference_mode = contextlib.nullcontext
nn = types.SimpleNamespace(Module=Module, Sequential=Module)
jit = types.SimpleNamespace(TracerWarning=Warning)
""",
}


def make_interpreter(folder: Path) -> Path:
    """Make one that has what the converter imports; torch tells its process in a file, and hangs when it is told to."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    site = next(folder.glob("lib/python3*/site-packages"))
    for name, text in _LIBRARIES.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text)
    (site / "others.pth").write_text(f"{sysconfig.get_path('purelib')}\n{ROOT}\n{ROOT / 'protos'}\n")
    return folder / "bin" / "python"


def create(options: EngineOptions, files: ModelFiles | None) -> HashEngine:
    """Return the engine after a conversion."""
    converted.ready(ModelFiles.parse(os.environ["FILES"]), KIND)
    return HashEngine()


if __name__ == "__main__":
    hash_engine.create = create
    sys.executable = os.environ["CHILDREN"]
    __main__.main()
