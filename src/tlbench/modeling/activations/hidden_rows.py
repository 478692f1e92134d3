"""Provides `HiddenRows`: hidden states between two stages as one tensor per row, without padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

import numpy as np
import torch
from torch import Tensor

from tlbench.modeling.data import Batch
from tlbench.modeling.encoder import Hidden


class HiddenRows(Sequence[Tensor]):
    """A sequence of rows cut out of batches of hidden states. Padding is dropped; reading a row copies nothing."""

    def __init__(self, count: int, masked: bool) -> None:
        self.masked = masked
        """Whether rows are (T, D) with a different T for each row; if False, all rows have the same shape."""
        self.complete = True
        """Whether the rows are in memory; False after `release`."""
        self._chunks: list[Tensor] = []
        self._starts: list[int] = []
        # for each row: the index of its chunk, and its first and one past its last position among all added positions
        self._index = np.zeros((count, 3), dtype=np.int64)
        self._added = self._size = 0

    @classmethod
    def mapped(cls, x: Tensor, bounds: np.ndarray, masked: bool) -> HiddenRows:
        """Returns rows that lie in one tensor.

        Args:
            x: All rows, one after the other in the first dimension.
            bounds: For each row its first and one past its last position in `x`, (rows, 2).
            masked: Whether rows differ in length.
        """
        rows = cls(len(bounds), masked)
        rows._chunks, rows._starts = [x], [0]
        rows._index[:, 1:] = bounds
        return rows

    def take(self, indices: Sequence[int] | np.ndarray) -> HiddenRows:
        """Returns these rows in this order, without copying."""
        rows = HiddenRows(0, self.masked)
        rows._chunks, rows._starts, rows._index = self._chunks, self._starts, self._index[indices]
        return rows

    @property
    def size_bytes(self) -> int:
        """The size in bytes of all rows that were added."""
        return self._size

    @property
    def bounds(self) -> np.ndarray:
        """For each row its first and one past its last position among all added positions, (rows, 2)."""
        return self._index[:, 1:]

    def add(self, indices: Sequence[int], hidden: Hidden) -> Tensor:
        """Adds the rows of one batch.

        Args:
            indices: For each row of the batch, its index in the data.
            hidden: The encoder's output for the batch.

        Returns:
            The rows as stored: on the CPU, one after the other, without padding.
        """
        if hidden.mask is None:
            ends = np.arange(1, len(indices) + 1)
            chunk = hidden.x
        else:
            ends = hidden.mask.sum(1).cpu().numpy().cumsum()
            chunk = hidden.x[hidden.mask]
        # Contiguous even if the encoder's output is channels-last: torch chooses kernels by memory layout, so rows from
        # memory and rows from a file, which has one layout, would differ in their last bits.
        chunk = chunk.cpu().contiguous()
        self._index[indices, 0] = len(self._chunks)
        self._index[indices, 1] = self._added + np.concatenate([[0], ends[:-1]])
        self._index[indices, 2] = self._added + ends
        if self.complete:
            self._chunks.append(chunk)
            self._starts.append(self._added)
        self._added += len(chunk)
        self._size += chunk.numel() * chunk.element_size()
        return chunk

    def release(self) -> None:
        """Frees the memory of the rows; write them to disk first.

        Only `bounds` remain. Of rows that are added later, too, only the bounds are kept.
        """
        self.complete = False
        self._chunks.clear()

    def __len__(self) -> int:
        return len(self._index)

    @overload
    def __getitem__(self, index: int) -> Tensor: ...
    @overload
    def __getitem__(self, index: slice) -> list[Tensor]: ...
    def __getitem__(self, index: int | slice) -> Tensor | list[Tensor]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        number, first, last = self._index[index].tolist()
        chunk, start = self._chunks[number], self._starts[number]
        first, last = first - start, last - start
        rows: Tensor = chunk[first:last] if self.masked else chunk[first]
        return rows

    def collate(self, rows: Sequence[Tensor]) -> Batch:
        """Returns {"hidden": Hidden} of these rows, padded on the right."""
        if not self.masked:
            return {"hidden": Hidden(torch.stack(list(rows)))}
        lengths = torch.tensor([len(row) for row in rows])
        x = torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True)
        return {"hidden": Hidden(x, torch.arange(x.shape[1]) < lengths[:, None])}
