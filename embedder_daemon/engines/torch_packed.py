"""Linear layers on the CPU with weights as oneDNN reads them, rearranged once."""

from __future__ import annotations

from typing import cast

import torch


class PackedLinear(torch.nn.Module):
    """Computes what a torch.nn.Linear does; torch alone rearranges weights in every pass, or has MKL multiply."""

    def __init__(self, layer: torch.nn.Linear) -> None:
        super().__init__()
        self.weight = torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach())  # noqa: SLF001 - the only door
        self.bias = layer.bias

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """From (..., in) to (..., out)."""
        product = torch.ops.mkldnn._linear_pointwise(rows, self.weight, self.bias, "none", [], "")  # noqa: SLF001 - the only door
        return cast(torch.Tensor, product)


def pack(model: torch.nn.Module) -> None:
    """Replace the linear layers of a model on the CPU, where oneDNN can compute them; subclasses stay."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]  # has no types
        return
    for module in list(model.modules()):
        for name, layer in module.named_children():
            if type(layer) is torch.nn.Linear and _computes(layer.weight.dtype):
                setattr(module, name, PackedLinear(layer))


def _computes(dtype: torch.dtype) -> bool:
    """Say whether oneDNN computes in it here."""
    return dtype is torch.float32 or (dtype is torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported())  # noqa: SLF001 - the only door
