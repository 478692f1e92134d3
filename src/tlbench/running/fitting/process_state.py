"""What a fit may change in its process and the next one must not see."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import torch


@contextmanager
def restored() -> Iterator[None]:
    """Puts back, after the block, what libraries keep for the whole process: modes, default type, threads, folder."""
    folder, limit = os.getcwd(), sys.getrecursionlimit()
    grad, dtype, threads = torch.is_grad_enabled(), torch.get_default_dtype(), torch.get_num_threads()
    exact = _exactness()
    matmul = torch.get_float32_matmul_precision()
    try:
        yield
    finally:
        torch.set_grad_enabled(grad)
        torch.set_default_dtype(dtype)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        if (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
        ) != exact:
            # Setting it imports torch's compiler, which takes seconds.
            torch.use_deterministic_algorithms(exact[0], warn_only=exact[1])
        torch.set_float32_matmul_precision(matmul)
        sys.setrecursionlimit(limit)
        with suppress(OSError):
            os.chdir(folder)


def _exactness() -> tuple[bool, bool]:
    return torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
