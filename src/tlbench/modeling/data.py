"""Featurised examples: rows a backbone can read, with their targets, collated into batches on request."""

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
"""Tensors by name, batch first; what it holds is between the backbone's `featurize` and its encoder."""


@dataclass
class Meter:
    """Counts the rows that were served for training."""

    rows: int = 0


@dataclass(frozen=True)
class Data:
    """Featurised examples: a length, random access, and batches.

    One example may stand behind several rows (windows); `owners` says which. Data made of cached activations
    has the same rows with hidden states in place of the input.
    """

    examples: Examples
    rows: Sequence[Row]
    collate: Callable[[Sequence[Row]], Batch]
    """Pads rows into one batch on the CPU."""
    lengths: np.ndarray
    """(rows,) int: the cost of each row, such as its number of tokens; batches are made of rows of like length."""
    owners: np.ndarray
    """(rows,) int: the position in `examples` of each row's example."""
    fingerprint: str
    """Equal for equal rows: over the examples and whatever turned them into rows."""
    augmented: bool = False
    """Rows differ from one look to the next: their activations are never cached."""
    meter: Meter = field(default_factory=Meter, compare=False)
    alignment: Sequence[np.ndarray] | None = None
    """Where the positions of each row stand in its example, (T,) or (T, 2) int each, -1 where nowhere: the index of
    the word that begins there for `TokenClasses`; first and one past the last character of the context for `Span`."""
    shared: Shared | None = None
    """Set where these rows are some of a larger data's, whose features are computed once for all who share it."""

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def ids(self) -> tuple[str, ...]:
        """The id of each example (not of each row)."""
        return tuple(example.id for example in self.examples)

    @property
    def targets(self) -> np.ndarray:
        """(rows,) the target of each row's example, (rows, K) where it is K labels; objects if it is no number.

        Raises:
            ValueError: The examples are unlabelled.
        """
        values = [self.examples[owner].target for owner in self.owners.tolist()]
        kinds = set(map(type, values))
        if type(None) in kinds:
            raise ValueError("these examples are unlabelled")
        if not any(issubclass(kind, tuple | list | str) for kind in kinds) or _is_table(values):
            return np.asarray(values)
        # one object each: numpy would make a table of tuples that happen to be of one length
        objects = np.empty(len(values), dtype=object)
        for row, value in enumerate(values):
            objects[row] = value
        return objects

    def batch(self, indices: Iterable[int]) -> Batch:
        """Returns these rows as one batch on the CPU."""
        return self.collate([self.rows[i] for i in indices])

    def serve(self, indices: Sequence[int]) -> Batch:
        """Returns these rows as one batch for training, and counts them."""
        self.meter.rows += len(indices)
        return self.batch(indices)

    def take(self, positions: Sequence[int]) -> Data:
        """Returns the data of the examples at these positions, in this order, with a meter of its own."""
        return self._taken(positions)[0]

    def share(self, positions: Sequence[int]) -> Data:
        """Returns what `take` returns, reading its features out of those of the whole.

        For subsets that together cover most of the whole: encoding it once then serves them all.
        """
        taken, order = self._taken(positions)
        return replace(taken, shared=Shared(self, order))

    def with_rows(self, rows: Sequence[Row], collate: Callable[[Sequence[Row]], Batch], fingerprint: str) -> Data:
        """Returns the same examples with other rows behind them, such as hidden states; the meter is shared."""
        return replace(self, rows=rows, collate=collate, fingerprint=fingerprint, shared=None)

    def metered(self) -> Data:
        """Returns the same data with a meter of its own."""
        return replace(self, meter=Meter())

    def _taken(self, positions: Sequence[int]) -> tuple[Data, np.ndarray]:
        rows_of: dict[int, list[int]] = {}
        for row, owner in enumerate(self.owners.tolist()):
            rows_of.setdefault(owner, []).append(row)
        order = [row for position in positions for row in rows_of.get(position, ())]
        owners = [new for new, position in enumerate(positions) for _ in rows_of.get(position, ())]
        examples = self.examples.take(positions)
        taken = replace(
            self,
            examples=examples,
            rows=[self.rows[i] for i in order],
            lengths=self.lengths[order],
            alignment=None if self.alignment is None else [self.alignment[i] for i in order],
            owners=np.asarray(owners, dtype=np.int64),
            fingerprint=f"{self.fingerprint}/{examples.fingerprint}",
            meter=Meter(),
            shared=None,
        )
        return taken, np.asarray(order, dtype=np.int64)


class Ragged(Sequence[np.ndarray]):
    """Rows of different lengths that lie one after the other in one array; a row is a view into it."""

    def __init__(self, ends: np.ndarray, flat: np.ndarray) -> None:
        """Takes where each row ends, (rows,) int, and what all rows hold, (positions, ...)."""
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
        index = range(len(self))[index]
        row: np.ndarray = self.flat[self.ends[index - 1] if index else 0 : self.ends[index]]
        return row


@dataclass(frozen=True)
class Shared:
    """Where rows stand in a larger data."""

    whole: Data
    rows: np.ndarray
    """(rows,) int: the row of the whole that each row is."""


def one_row_each(
    examples: Examples,
    rows: Sequence[Row],
    collate: Callable[[Sequence[Row]], Batch],
    lengths: Sequence[int] | np.ndarray,
    fingerprint: str,
    augmented: bool = False,
) -> Data:
    """Returns data in which every example is one row; the examples' own fingerprint is added to `fingerprint`.

    Raises:
        PluginError: Not as many rows and lengths as examples.
    """
    if not len(rows) == len(lengths) == len(examples):
        counts = f"{len(rows)} rows and {len(lengths)} lengths for {len(examples)} examples"
        raise PluginError(f"featurize made {counts}: each example needs one of both, in order")
    return Data(
        examples=examples,
        rows=rows,
        collate=collate,
        lengths=np.asarray(lengths, dtype=np.int64),
        owners=np.arange(len(rows), dtype=np.int64),
        fingerprint=f"{fingerprint}:{examples.fingerprint}",
        augmented=augmented,
    )


def checked(data: Data, examples: Examples) -> Data:
    """Returns what a backbone made of the examples, if it is all of them and its parts fit together.

    Raises:
        PluginError: An example without a row, or rows without a length or an owner.
    """
    if len(data.examples) != len(examples):
        raise PluginError(f"featurize returned {len(data.examples)} of {len(examples)} examples")
    if not len(data.rows) == len(data.lengths) == len(data.owners):
        counts = f"{len(data.rows)} rows, {len(data.lengths)} lengths and {len(data.owners)} owners"
        raise PluginError(f"featurize returned {counts}: each row needs one of both")
    if data.alignment is not None and len(data.alignment) != len(data.rows):
        raise PluginError(f"featurize returned {len(data.rows)} rows and the alignment of {len(data.alignment)}")
    unowned = np.setdiff1d(np.arange(len(examples)), data.owners)
    if len(unowned):
        raise PluginError(f"featurize left {len(unowned)} examples without a row, first {data.ids[unowned[0]]!r}")
    return data


def bare(examples: Examples) -> Data:
    """Returns data without features, for strategies that look through no backbone."""
    return one_row_each(examples, list(examples), lambda rows: {"examples": list(rows)}, [1] * len(examples), "bare")


def _is_table(values: Sequence[Any]) -> bool:
    """Says whether all are as many numbers."""
    numbers = (int, float, np.number)
    return len(set(map(len, values))) == 1 and all(isinstance(part, numbers) for value in values for part in value)


def to_device(batch: Mapping[str, Any], device: torch.device) -> Batch:
    """Returns the batch with its tensors on the device; what goes to a GPU does not make the host wait."""
    return {name: moved(value, device) if isinstance(value, torch.Tensor) else value for name, value in batch.items()}


def moved(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Returns a tensor on the device: to a GPU by way of pinned memory, which alone is copied in the background."""
    if device.type == "cuda" and tensor.device.type == "cpu":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)
