"""Which numbers are computed in: resolving `auto`, the autocast region, weights in bf16, at least fp32."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from tlbench.system.processor import multiplies_bf16


def resolve(precision: str, device: torch.device) -> str:
    """Returns `fp32`, `bf16-autocast` or `bf16-weights`: what `auto` means on this device, anything else as it is.

    `auto` is bf16 autocast wherever the hardware multiplies bf16 itself; emulated, it is slower than fp32.
    """
    if precision != "auto":
        return precision
    if device.type == "cuda":
        with torch.cuda.device(device):
            return "bf16-autocast" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    if device.type == "cpu" and multiplies_bf16():
        return "bf16-autocast"
    return "fp32"


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """Returns the region in which a resolved precision computes; `fp32` changes nothing.

    Weights in bf16 need it too: a head, an adapter and whatever else is new is in fp32.
    """
    if precision != "fp32":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


def halve(module: nn.Module) -> None:
    """Puts the matrices and tables of a module into bf16.

    What has one dimension stays in fp32, and so do buffers: they take next to no memory, a normalisation computes
    in no other numbers where its input is in fp32, and angles of a rotary embedding in bf16 are other angles.
    """
    for weight in module.parameters():
        if weight.ndim > 1 and weight.dtype == torch.float32:
            weight.data = weight.data.to(torch.bfloat16)


def wide(dtype: torch.dtype) -> torch.dtype:
    """Returns the type for what bf16 is too coarse for, losses and moments say: fp32, or fp64 where that is given."""
    return torch.promote_types(dtype, torch.float32)


def at_least_fp32(numbers: Tensor) -> Tensor:
    """Returns the numbers in fp32, or as they are where they are fp64: who computes in doubles gets doubles."""
    return numbers.to(wide(numbers.dtype))
