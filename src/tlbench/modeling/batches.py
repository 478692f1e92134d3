"""Batches for a pass without gradients: rows of like length together, within a budget of tokens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

CPU_TOKENS = 1024
"""More does not raise the throughput of a CPU, and pads more."""
CUDA_TOKENS = 32768
MAX_ROWS = 512
"""Where a row's length says little of its cost, as with images, this bounds a batch."""


def inference_batches(lengths: np.ndarray, token_budget: int = CPU_TOKENS, max_rows: int = MAX_ROWS) -> list[list[int]]:
    """Returns every row's index once, longest rows first, so that no batch has more than `token_budget` tokens.

    A batch costs its longest row times its number of rows; a row longer than the budget is a batch of its own.
    Longest first, so that a batch that does not fit into memory fails at once.
    """
    batches: list[list[int]] = []
    room = 0
    for index in np.argsort(-lengths, kind="stable").tolist():
        if room < 1:
            batches.append([])
            room = min(max_rows, max(1, token_budget // max(1, int(lengths[index]))))
        batches[-1].append(index)
        room -= 1
    return batches


def padding_share(lengths: np.ndarray, batches: Iterable[Sequence[int]]) -> float:
    """Returns which part of what batches compute is padding, 0 to 1: of their rows times their longest row."""
    computed = real = 0
    for indices in batches:
        inside = lengths[indices]
        computed += len(inside) * int(inside.max())
        real += int(inside.sum())
    return 1 - real / computed if computed else 0.0


def default_tokens(device_type: str) -> int:
    """Returns a token budget that keeps this kind of device busy."""
    return CPU_TOKENS if device_type == "cpu" else CUDA_TOKENS
