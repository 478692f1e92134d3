"""Provides `Data`: featurised examples as rows that a backbone reads, with targets, batched on request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, overload

import numpy as np
import torch

from tlbench.contracts.errors import PluginError
from tlbench.contracts.task import Examples

Row: TypeAlias = Any
Batch: TypeAlias = dict[str, Any]
"""Tensors by name, batch first; the names are agreed between a backbone's `featurize` and its encoder."""


@dataclass
class Meter:
    """Counts the rows that were served for training."""

    rows: int = 0


@dataclass(frozen=True)
class Data:
    """Featurised examples, with a length, random access to rows, and batches.

    One example may have several rows (windows); `owners` maps rows to examples. Data made of cached activations has
    the same rows, with hidden states in place of inputs.
    """

    examples: Examples
    rows: Sequence[Row]
    collate: Callable[[Sequence[Row]], Batch]
    """Pads rows into one batch on the CPU."""
    lengths: np.ndarray
    """(rows,) int: the cost of each row, such as its number of tokens; rows of similar length are batched together."""
    owners: np.ndarray
    """(rows,) int: for each row the position of its example in `examples`."""
    fingerprint: str
    """An identifier of the rows, equal for equal rows: it depends on the examples and all settings of featurising."""
    augmented: bool = False
    """Whether a row changes each time it is read; activations of such data are never cached."""
    meter: Meter = field(default_factory=Meter, compare=False)
    alignment: Sequence[np.ndarray] | None = None
    """One int array per row that maps its T positions to the example, with -1 for positions that match no part of it.

    (T,) for `TokenClasses`: the index of the word that begins at the position. (T, 2) for `Span`: the position's first
    character in the context, and one past its last. For outputs that read a map: (4,), the `Region` of the image that
    the row shows. None for outputs that need no alignment."""
    truncated: np.ndarray | None = None
    """(examples,) bool: whether the backbone left out a part of the example's inputs because they are too long; None if
    it does not say. An example that is split into windows is not truncated."""
    shared: Shared | None = None
    """The full data set from which `share` selected these rows, and whose features are computed once for all its
    subsets; None if there is none."""

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def ids(self) -> tuple[str, ...]:
        """The id of each example (not of each row)."""
        return tuple(example.id for example in self.examples)

    @property
    def targets(self) -> np.ndarray:
        """The target of each row's example: (rows,) numbers, (rows, K) for K labels, else (rows,) objects.

        Raises:
            ValueError: The examples are unlabelled.
        """
        values = [self.examples[owner].target for owner in self.owners.tolist()]
        kinds = set(map(type, values))
        if type(None) in kinds:
            raise ValueError("these examples are unlabelled")
        if not any(issubclass(kind, tuple | list | str) for kind in kinds) or _is_table(values):
            return np.asarray(values)
        # filled one by one: np.asarray would turn tuples of equal length into a table
        objects = np.empty(len(values), dtype=object)
        for row, value in enumerate(values):
            objects[row] = value
        return objects

    @property
    def truncated_share(self) -> float | None:
        """The share of examples that are truncated; None if that is unknown or there are no examples."""
        return float(self.truncated.mean()) if self.truncated is not None and len(self.truncated) else None

    def batch(self, indices: Iterable[int]) -> Batch:
        """Returns these rows as one batch on the CPU."""
        return self.collate([self.rows[i] for i in indices])

    def serve(self, indices: Sequence[int]) -> Batch:
        """Returns these rows as one batch on the CPU and counts them as used for training."""
        self.meter.rows += len(indices)
        return self.batch(indices)

    def take(self, positions: Sequence[int]) -> Data:
        """Returns the data of the examples at these positions, in this order, with a new meter."""
        return self._subset(positions)[0]

    def share(self, positions: Sequence[int], *, hidden: bool = False) -> Data:
        """Like `take`, but the subset's features are selected from the features of this data, not encoded separately.

        Use it for subsets that together cover most of this data, such as folds: one encoding then serves all of them.

        Args:
            positions: The positions of the examples.
            hidden: Whether hidden states are selected too, where they can be cached. Their values may differ in the
                last bits from those of encoding the subset alone, because rows are batched differently.
        """
        subset, order = self._subset(positions)
        return replace(subset, shared=Shared(self, order, hidden))

    def with_rows(self, rows: Sequence[Row], collate: Callable[[Sequence[Row]], Batch], fingerprint: str) -> Data:
        """Returns the same examples with different rows, such as hidden states; the result shares this data's meter."""
        return replace(self, rows=rows, collate=collate, fingerprint=fingerprint, shared=None)

    def metered(self) -> Data:
        """Returns the same data with a new meter."""
        return replace(self, meter=Meter())

    def _subset(self, positions: Sequence[int]) -> tuple[Data, np.ndarray]:
        """Returns the data of these examples, and for each row of the result its index among the rows of this data."""
        # an example that was split into windows has several rows, which need not be adjacent
        rows_of: dict[int, list[int]] = {}
        for row, owner in enumerate(self.owners.tolist()):
            rows_of.setdefault(owner, []).append(row)
        order = [row for position in positions for row in rows_of.get(position, ())]
        owners = [new for new, position in enumerate(positions) for _ in rows_of.get(position, ())]
        examples = self.examples.take(positions)
        subset = replace(
            self,
            examples=examples,
            rows=[self.rows[i] for i in order],
            lengths=self.lengths[order],
            alignment=None if self.alignment is None else [self.alignment[i] for i in order],
            owners=np.asarray(owners, dtype=np.int64),
            truncated=None if self.truncated is None else self.truncated[list(positions)],
            fingerprint=f"{self.fingerprint}/{examples.fingerprint}",
            meter=Meter(),
            # `shared` has one index per row of this data, which does not fit the rows of the subset
            shared=None,
        )
        return subset, np.asarray(order, dtype=np.int64)


class Ragged(Sequence[np.ndarray]):
    """Rows of different lengths stored in one array; reading a row returns a view."""

    # one array instead of a list of arrays: it is read from the disk cache without a copy
    def __init__(self, ends: np.ndarray, flat: np.ndarray) -> None:
        """Wraps two arrays.

        Args:
            ends: One past the last position of each row, (rows,) int.
            flat: All rows, one after the other, (positions, ...).
        """
        self.ends, self.flat = ends, flat

    def __len__(self) -> int:
        return len(self.ends)

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, index: slice) -> list[np.ndarray]: ...
    def __getitem__(self, index: int | slice) -> np.ndarray | list[np.ndarray]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        # a range resolves negative indices and raises IndexError, which ends iteration over a Sequence
        index = range(len(self))[index]
        row: np.ndarray = self.flat[self.ends[index - 1] if index else 0 : self.ends[index]]
        return row


@dataclass(frozen=True)
class Shared:
    """The full data set of a subset, and the subset's rows in it."""

    whole: Data
    rows: np.ndarray
    """(rows,) int: for each row of the subset its index in `whole`."""
    hidden: bool = False
    """Whether hidden states, too, are those of `whole`."""


def one_row_each(
    examples: Examples,
    rows: Sequence[Row],
    collate: Callable[[Sequence[Row]], Batch],
    lengths: Sequence[int] | np.ndarray,
    fingerprint: str,
    augmented: bool = False,
    truncated: Sequence[bool] | np.ndarray | None = None,
) -> Data:
    """Returns data with one row per example.

    Args:
        examples: The examples.
        rows: One row per example, in order.
        collate: Pads rows into one batch on the CPU.
        lengths: The cost of each row, such as its number of tokens.
        fingerprint: Covers all settings of featurising; the examples' own fingerprint is appended.
        augmented: Whether a row changes each time it is read.
        truncated: For each example, whether a part of it was left out because it is too long; None if that is unknown.

    Raises:
        PluginError: The numbers of rows, lengths and examples differ.
    """
    if not len(rows) == len(lengths) == len(examples):
        counts = f"{len(rows)} rows and {len(lengths)} lengths for {len(examples)} examples"
        raise PluginError(f"featurize has {counts}: return one of both per example, in order")
    return Data(
        examples=examples,
        rows=rows,
        collate=collate,
        lengths=np.asarray(lengths, dtype=np.int64),
        owners=np.arange(len(rows), dtype=np.int64),
        fingerprint=f"{fingerprint}:{examples.fingerprint}",
        augmented=augmented,
        truncated=None if truncated is None else np.asarray(truncated, dtype=bool),
    )


def checked(data: Data, examples: Examples) -> Data:
    """Returns the data that a backbone made of the examples, after checking that it is complete and consistent.

    Raises:
        PluginError: An example has no row, or rows lack a length, an owner or an alignment.
    """
    if len(data.examples) != len(examples):
        raise PluginError(f"featurize returned {len(data.examples)} of {len(examples)} examples")
    if not len(data.rows) == len(data.lengths) == len(data.owners):
        counts = f"{len(data.rows)} rows, {len(data.lengths)} lengths and {len(data.owners)} owners"
        raise PluginError(f"featurize returned {counts}: return one of both per row")
    if data.alignment is not None and len(data.alignment) != len(data.rows):
        counts = f"{len(data.rows)} rows and the alignment of {len(data.alignment)}"
        raise PluginError(f"featurize returned {counts}: return one array per row")
    if data.truncated is not None and len(data.truncated) != len(examples):
        raise PluginError(f"featurize returned {len(data.truncated)} entries of truncated for {len(examples)} examples")
    unowned = np.setdiff1d(np.arange(len(examples)), data.owners)
    if len(unowned):
        first = data.ids[unowned[0]]
        raise PluginError(f"featurize left {len(unowned)} examples without a row, first {first!r}: return at least one")
    return data


def bare(examples: Examples) -> Data:
    """Returns data without features, for strategies that use no backbone."""
    return one_row_each(examples, list(examples), lambda rows: {"examples": list(rows)}, [1] * len(examples), "bare")


def _is_table(values: Sequence[Any]) -> bool:
    """Returns whether all values are sequences of numbers of the same length."""
    numbers = (int, float, np.number)
    return len(set(map(len, values))) == 1 and all(isinstance(part, numbers) for value in values for part in value)


def to_device(batch: Mapping[str, Any], device: torch.device) -> Batch:
    """Returns the batch with its tensors on the device; copies to a GPU run in the background."""
    return {name: moved(value, device) if isinstance(value, torch.Tensor) else value for name, value in batch.items()}


def moved(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Returns the tensor on the device; a copy to a GPU runs in the background."""
    # CUDA copies asynchronously from page-locked memory only: from ordinary memory non_blocking has no effect
    if device.type == "cuda" and tensor.device.type == "cpu":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)
