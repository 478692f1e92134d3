"""The status of a fit that raised an error."""

from __future__ import annotations

import traceback
from typing import Literal

import torch

from tlbench.contracts.errors import Diverged, Pruned
from tlbench.contracts.identity.known_places import without_places
from tlbench.contracts.untrusted.redaction import without_secrets

FitStatus = Literal["ok", "pruned", "diverged", "oom", "failed"]


def status_of(error: BaseException) -> tuple[FitStatus, str, str]:
    """Returns the status, one-line reason and traceback for an error; pruning and divergence have no traceback."""
    message = without_places(without_secrets(str(error)))
    reason = " ".join(f"{type(error).__name__}: {message}".split()).removesuffix(":")
    trace = without_places(without_secrets("".join(traceback.format_exception(error))))
    if isinstance(error, Pruned):
        return "pruned", " ".join(message.split()), ""
    if isinstance(error, Diverged):
        return "diverged", " ".join(message.split()), ""
    # Not all libraries that torch calls raise its own error when memory runs out.
    if isinstance(error, torch.OutOfMemoryError | MemoryError) or any(
        message in str(error) for message in _OUT_OF_MEMORY
    ):
        return "oom", reason, trace
    return "failed", reason, trace


_OUT_OF_MEMORY = ("can't allocate memory", "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED")
"""Parts of the messages of torch's out-of-memory errors that have no exception type of their own."""
