"""Reads the headers of a folder's safetensors files, without torch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tlbench import UsageError
from tlbench.contracts.untrusted.regular_files import links_inside
from tlbench.contracts.untrusted.safetensors_headers import read_header
from tlbench_hf.sources import weight_files

TABLES = ("position_ids", "inv_freq", "masked_bias", ".attn.causal_mask")
"""Suffixes of the names of tensors that older checkpoints store and newer versions of transformers compute."""
# GPT-2 and its relatives store the causal mask of attention under the name of a bias.
_MASKS = (".attn.bias", ".attn.attention.bias", ".attention.bias")


class StoredTensors(NamedTuple):
    """Name, dtype and shape of a tensor in a file."""

    name: str
    dtype: str
    """Name of the dtype in the safetensors format, such as F32, BF16, I64 or BOOL."""
    shape: tuple[int, ...]

    @property
    def is_table(self) -> bool:
        """Whether newer code computes the tensor (positions, frequencies, masks) instead of loading it.

        Some masks are stored under the name of a bias; they have several dimensions, whereas a true bias has one.
        """
        return self.name.endswith(TABLES) or (self.name.endswith(_MASKS) and len(self.shape) > 1)


def stored_tensors(folder: Path) -> Iterator[StoredTensors]:
    """Yields the tensors of a folder's weights.

    Raises:
        UsageError: A file of weights is no safetensors file that can be read.
    """
    for path in weight_files(folder):
        try:
            tensors, _ = read_header(path, links=links_inside(folder))
        except ValueError as error:
            raise UsageError(str(error)) from None
        for name, tensor in tensors.items():
            yield StoredTensors(name, tensor.dtype, tensor.shape)
