"""What the headers of a folder's weights say, read without torch: which tensors there are, and which are no weights."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tlbench_hf.sources import weight_files

TABLES = ("position_ids", "inv_freq", "masked_bias", ".attn.causal_mask")
"""Ends of names of what older checkpoints carry and newer code computes."""
_MASKS = (".attn.bias", ".attn.attention.bias", ".attention.bias")
_LARGEST_HEADER = 100_000_000


class StoredTensors(NamedTuple):
    """A tensor in a file."""

    name: str
    dtype: str
    """As safetensors names it: F32, BF16, I64, BOOL."""
    shape: tuple[int, ...]

    @property
    def is_table(self) -> bool:
        """Whether newer code computes it: positions, frequencies, masks.

        GPT-2 and its like called the mask of their attention a bias; what is one has a single dimension.
        """
        return self.name.endswith(TABLES) or (self.name.endswith(_MASKS) and len(self.shape) > 1)


def stored_tensors(folder: Path) -> Iterator[StoredTensors]:
    """Yields the tensors of a folder's weights; none of a file whose header is too large to be one."""
    for path in weight_files(folder):
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            if size > _LARGEST_HEADER:
                continue
            header = json.loads(file.read(size))
        for name, tensor in header.items():
            if name != "__metadata__":
                yield StoredTensors(name, tensor["dtype"], tuple(tensor["shape"]))
