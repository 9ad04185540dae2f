"""`python -I -m embedder_daemon.engines.convert FILES TARGET [half]`: converts a model, given as JSON, for openvino.

This is a separate process, so that the daemon's memory stays free of torch and transformers.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import torch

from embedder_daemon.engines import converted, openvino_engine, torch_compare, torch_model
from embedder_daemon.engines.base import EngineOptions
from embedder_daemon.engines.openvino_runtime import openvino
from embedder_daemon.errors import LoadError
from embedder_daemon.model.space import ModelFiles


def convert(files: ModelFiles, target: Path, kind: converted.EngineFormat) -> None:
    """Write the model with dynamic rows and tokens and float32 or float16 weights, and the digests of both files.

    Raises:
        LoadError: the conversion does not compute torch's vectors; the digests are not written then.
        OSError, RuntimeError, ValueError, KeyError: the model cannot be read or converted, or the target not written.
    """
    torch_model.fill_masks()
    model = torch_model.load(files)
    example = torch.ones(2, 8, dtype=torch.long)
    shapes = [(name, [-1, -1], openvino.Type.i64) for name in converted.INPUTS]
    with warnings.catch_warnings():
        # Warnings about branches on the lengths of a mask that is always given.
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # type: ignore[attr-defined]  # exists, but is not exported
        graph = openvino.convert_model(model, example_input=dict.fromkeys(converted.INPUTS, example), input=shapes)
    half = kind is converted.OPENVINO_HALF
    openvino.save_model(graph, target / kind.files[0], compress_to_fp16=half)
    precision = "bfloat16" if half and openvino_engine.computes_bfloat16() else "float32"
    threads = EngineOptions().cpu_threads
    written = openvino_engine.OpenvinoGraph(target / kind.files[0], precision, threads, files.pad_token_id)
    torch_compare.check(written.forward, model, files)
    converted.seal(target, kind)


if __name__ == "__main__":
    converted.end_with_parent()
    kind = converted.OPENVINO_HALF if "half" in sys.argv[3:] else converted.OPENVINO
    try:
        convert(ModelFiles.parse(sys.argv[1]), Path(sys.argv[2]), kind)
    except LoadError as error:
        sys.exit(str(error))
