"""How a fit ended, from what it raised."""

from __future__ import annotations

import traceback
from typing import Literal

import torch

from tlbench.contracts.errors import Diverged, Pruned

FitStatus = Literal["ok", "pruned", "diverged", "oom", "failed"]


def status_of(error: BaseException) -> tuple[FitStatus, str, str]:
    """Returns status, one-line reason and traceback of what a fit raised."""
    reason = " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")
    trace = "".join(traceback.format_exception(error))
    if isinstance(error, Pruned):
        return "pruned", " ".join(str(error).split()), ""
    if isinstance(error, Diverged):
        return "diverged", " ".join(str(error).split()), ""
    if isinstance(error, torch.OutOfMemoryError | MemoryError) or any(words in str(error) for words in _NO_MEMORY):
        return "oom", reason, trace
    return "failed", reason, trace


_NO_MEMORY = ("can't allocate memory", "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED")
"""What torch says where it has no type for it."""
