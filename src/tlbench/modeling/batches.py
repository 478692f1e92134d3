"""Provides batches for inference: rows of similar length together, within a budget of tokens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

CPU_TOKENS = 1024
"""The token budget of a batch on a CPU. A larger budget would not raise the throughput and would add padding."""
CUDA_TOKENS = 32768
MAX_ROWS = 512
"""The maximum number of rows in a batch, for rows whose length says little about their cost, such as images."""


def inference_batches(lengths: np.ndarray, token_budget: int = CPU_TOKENS, max_rows: int = MAX_ROWS) -> list[list[int]]:
    """Returns batches of row indices, each row once and longest first, with at most `token_budget` tokens per batch.

    Args:
        lengths: The number of tokens of each row, (rows,).
        token_budget: The maximum number of tokens in a batch, with padding; a longer row is a batch of its own.
        max_rows: The maximum number of rows in a batch.
    """
    batches: list[list[int]] = []
    room = 0
    # Longest first, so that a batch that does not fit into memory fails at once rather than after an hour. Stable,
    # because batches decide the last bits of their rows and so are part of cache keys.
    for index in np.argsort(-lengths, kind="stable").tolist():
        if room < 1:
            batches.append([])
            # padding makes every row of the batch as long as this one
            room = min(max_rows, max(1, token_budget // max(1, int(lengths[index]))))
        batches[-1].append(index)
        room -= 1
    return batches


def padding_share(lengths: np.ndarray, batches: Iterable[Sequence[int]]) -> float:
    """Returns the share of padding, 0 to 1, among all tokens that these batches compute."""
    computed = real = 0
    for indices in batches:
        inside = lengths[indices]
        computed += len(inside) * int(inside.max())
        real += int(inside.sum())
    return 1 - real / computed if computed else 0.0


def default_tokens(device_type: str) -> int:
    """Returns a token budget that keeps a device of this type busy."""
    return CPU_TOKENS if device_type == "cpu" else CUDA_TOKENS
