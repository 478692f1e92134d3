"""Provides the precisions: resolving `auto`, the autocast region, weights in bf16, and conversion to fp32 or more."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from tlbench.system.processor import multiplies_bf16


def resolve(precision: str, device: torch.device) -> str:
    """Returns the precision to use on a device: `fp32`, `bf16-autocast` or `bf16-weights`.

    `auto` becomes `bf16-autocast` if the hardware multiplies bf16 natively, else `fp32`. Other names are returned
    unchanged.
    """
    if precision != "auto":
        return precision
    # emulated bf16 counts as none: it is slower than fp32
    if device.type == "cuda":
        with torch.cuda.device(device):
            return "bf16-autocast" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    if device.type == "cpu" and multiplies_bf16():
        return "bf16-autocast"
    return "fp32"


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """Returns the context manager to run a model in under a resolved precision; for `fp32` it does nothing."""
    if precision != "fp32":
        # `bf16-weights` too: heads and adapters stay in fp32, and torch does not multiply bf16 with fp32 by itself
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


def to_bf16_weights(module: nn.Module) -> None:
    """Converts the matrices and embedding tables of a module to bf16, in place.

    Vectors and buffers stay in fp32. They take next to no memory, normalisation layers in bf16 refuse fp32 input on a
    CPU, and the angles of a rotary embedding would lose their precision.
    """
    for weight in module.parameters():
        if weight.ndim > 1 and weight.dtype == torch.float32:
            # through .data, so that the Parameter object, which optimisers and ties refer to, stays the same
            weight.data = weight.data.to(torch.bfloat16)


def wide(dtype: torch.dtype) -> torch.dtype:
    """Returns the dtype for losses and optimiser moments, for which bf16 is too coarse: fp32, or fp64 for fp64."""
    return torch.promote_types(dtype, torch.float32)


def at_least_fp32(numbers: Tensor) -> Tensor:
    """Returns the numbers in fp32 if they have less precision; fp32 and fp64 are returned unchanged."""
    # fp64 stays: tests compute in it to tell rounding from errors
    return numbers.to(wide(numbers.dtype))
