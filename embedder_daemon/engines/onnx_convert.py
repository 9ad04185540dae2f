"""`python -I -m embedder_daemon.engines.onnx_convert FILES TARGET`: converts a model to ONNX.

This is a separate process, so that the daemon's memory stays free of torch and transformers.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Final

import onnx  # noqa: F401 - torch needs it, but reports its absence late and unclearly
import torch

from embedder_daemon.engines import converted, onnx_engine, torch_compare, torch_model
from embedder_daemon.engines.base import EngineOptions
from embedder_daemon.errors import LoadError
from embedder_daemon.model.space import ModelFiles

_OPSET: Final = 17


class _Hidden(torch.nn.Module):
    """The transformer alone: `onnx_engine` does the pooling, as it must for models with their own ONNX file."""

    def __init__(self, transformer: torch.nn.Module) -> None:
        super().__init__()
        self.transformer = transformer

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        hidden: torch.Tensor = self.transformer(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return hidden


def convert(files: ModelFiles, target: Path) -> None:
    """Write the transformer as float32 with dynamic rows and tokens, and the digest of the file.

    Raises:
        LoadError: the conversion does not compute torch's vectors; the digest is not written then.
        ModuleNotFoundError: onnx is not installed.
        OSError, RuntimeError, ValueError, KeyError: the model cannot be read or converted, or the target not written.
    """
    torch_model.fill_masks()
    model = torch_model.load(files)
    example = torch.ones(2, 8, dtype=torch.long)
    shape = {0: "rows", 1: "tokens"}
    with warnings.catch_warnings():
        # Warnings about branches on the lengths of a mask that is always given, and about a newer exporter.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Hidden(model.transformer).eval(),
            (example, example),
            target / converted.ONNX.files[0],
            input_names=list(converted.INPUTS),
            output_names=["last_hidden_state"],
            dynamic_axes=dict.fromkeys((*converted.INPUTS, "last_hidden_state"), shape),
            opset_version=_OPSET,
            dynamo=False,
        )
    written = onnx_engine.OnnxGraph(target / converted.ONNX.files[0], EngineOptions().cpu_threads, files)
    torch_compare.check(written.forward, model, files)
    converted.seal(target, converted.ONNX)


if __name__ == "__main__":
    converted.end_with_parent()
    try:
        convert(ModelFiles.parse(sys.argv[1]), Path(sys.argv[2]))
    except LoadError as error:
        sys.exit(str(error))
