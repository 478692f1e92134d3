"""Which numbers a forward pass computes in: resolving `auto`, and the autocast region."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path

import torch

_FAST_ON_CPU = frozenset({"avx512_bf16", "amx_bf16"})


def resolve(precision: str, device: torch.device) -> str:
    """Returns `fp32`, `bf16-autocast` or `bf16-weights`: what `auto` means on this device, anything else as it is.

    `auto` is bf16 autocast wherever the hardware multiplies bf16 itself; emulated, it is slower than fp32.
    """
    if precision != "auto":
        return precision
    if device.type == "cuda":
        with torch.cuda.device(device):
            return "bf16-autocast" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    if device.type == "cpu" and cpu_flags() & _FAST_ON_CPU:
        return "bf16-autocast"
    return "fp32"


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """Returns the region in which a resolved precision computes; only `bf16-autocast` changes anything."""
    if precision == "bf16-autocast":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


@cache
def cpu_flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """Returns the feature flags of the first processor; none where the kernel does not list them."""
    try:
        lines = cpuinfo.read_text(errors="replace").splitlines()
    except OSError:
        return frozenset()
    flags = next((line.partition(":")[2] for line in lines if line.startswith("flags")), "")
    return frozenset(flags.split())
