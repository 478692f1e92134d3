"""Reads the features of the CPU. Imports no torch."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_FAST_BF16 = frozenset({"avx512_bf16", "amx_bf16"})


@cache
def cpu_flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """Returns the feature flags of the first processor; empty if the kernel does not list them."""
    try:
        lines = cpuinfo.read_text(errors="replace").splitlines()
    except OSError:
        return frozenset()
    flags = next((line.partition(":")[2] for line in lines if line.startswith("flags")), "")
    return frozenset(flags.split())


def multiplies_bf16() -> bool:
    """Returns whether the CPU multiplies bf16 natively; emulated bf16 is slower than fp32."""
    return bool(cpu_flags() & _FAST_BF16)
