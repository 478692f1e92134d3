"""Hidden states as rows: what stands between two stages, one entry an example, without padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

import numpy as np
import torch
from torch import Tensor

from tlbench.modeling.data import Batch
from tlbench.modeling.encoder import Hidden


class HiddenRows(Sequence[Tensor]):
    """Rows cut out of batches of hidden states: padding is dropped, nothing is copied when a row is read."""

    def __init__(self, count: int, masked: bool) -> None:
        self.masked = masked
        """Whether a row is (T, D) of its own length; else all have the same shape."""
        self.complete = True
        """Whether the rows are here; not after `let_go`."""
        self._chunks: list[Tensor] = []
        self._starts: list[int] = []
        self._places = np.zeros((count, 3), dtype=np.int64)
        self._taken = self._size = 0

    @classmethod
    def mapped(cls, x: Tensor, places: np.ndarray, masked: bool) -> HiddenRows:
        """Returns rows that lie one after the other in `x`, at `places` (rows, 2): the first and one past the last."""
        rows = cls(len(places), masked)
        rows._chunks, rows._starts = [x], [0]
        rows._places[:, 1:] = places
        return rows

    def take(self, indices: Sequence[int] | np.ndarray) -> HiddenRows:
        """Returns these rows, in this order; nothing is copied."""
        rows = HiddenRows(0, self.masked)
        rows._chunks, rows._starts, rows._places = self._chunks, self._starts, self._places[indices]
        return rows

    @property
    def size_bytes(self) -> int:
        """How much memory the rows take that were added."""
        return self._size

    @property
    def places(self) -> np.ndarray:
        """(rows, 2): where each row begins and ends among all that was added, one after the other."""
        return self._places[:, 1:]

    def add(self, indices: Sequence[int], hidden: Hidden) -> Tensor:
        """Takes in the rows of one batch of an encoder's output; returns them as they are kept, without padding."""
        if hidden.mask is None:
            ends = np.arange(1, len(indices) + 1)
            chunk = hidden.x
        else:
            ends = hidden.mask.sum(1).cpu().numpy().cumsum()
            chunk = hidden.x[hidden.mask]
        # in one order of memory, whatever the encoder's was: kernels are chosen by it, and the file has but one
        chunk = chunk.cpu().contiguous()
        self._places[indices, 0] = len(self._chunks)
        self._places[indices, 1] = self._taken + np.concatenate([[0], ends[:-1]])
        self._places[indices, 2] = self._taken + ends
        if self.complete:
            self._chunks.append(chunk)
            self._starts.append(self._taken)
        self._taken += len(chunk)
        self._size += chunk.numel() * chunk.element_size()
        return chunk

    def let_go(self) -> None:
        """Forgets the rows, and those that come, but not where they stand: they are kept somewhere else."""
        self.complete = False
        self._chunks.clear()

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> Tensor: ...
    @overload
    def __getitem__(self, index: slice) -> list[Tensor]: ...
    def __getitem__(self, index: int | slice) -> Tensor | list[Tensor]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        number, first, last = self._places[index].tolist()
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
