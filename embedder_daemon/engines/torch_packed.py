"""Linear layers on the CPU with weights in oneDNN's layout, rearranged once."""

from __future__ import annotations

from typing import cast

import torch


class PackedLinear(torch.nn.Module):
    """Equivalent to torch.nn.Linear, which rearranges weights in every pass or multiplies with MKL."""

    def __init__(self, layer: torch.nn.Linear) -> None:
        super().__init__()
        self.weight = torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach())  # noqa: SLF001 - the only door
        self.bias = layer.bias

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """From (..., in) to (..., out)."""
        product = torch.ops.mkldnn._linear_pointwise(rows, self.weight, self.bias, "none", [], "")  # noqa: SLF001 - the only door
        return cast(torch.Tensor, product)


def pack(model: torch.nn.Module) -> None:
    """Replace a model's linear layers on the CPU that oneDNN can compute; subclasses are kept."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]  # has no types
        return
    for module in list(model.modules()):
        for name, layer in module.named_children():
            if type(layer) is torch.nn.Linear and _computes(layer.weight.dtype):
                setattr(module, name, PackedLinear(layer))


def _computes(dtype: torch.dtype) -> bool:
    """Whether oneDNN supports this type on this machine."""
    return dtype is torch.float32 or (dtype is torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported())  # noqa: SLF001 - the only door
