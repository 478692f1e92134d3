"""The size of a task's data, on which the cost of a fit depends: rows of each split and the length of inputs."""

from __future__ import annotations

from dataclasses import dataclass

from tlbench.contracts.cell import Protocol
from tlbench.contracts.task import Examples
from tlbench.running.splits import Splits

TOKENS_A_WORD = 1.4
"""Word pieces for each word between spaces, and two for the marks at both ends."""
_SAMPLE = 500


@dataclass(frozen=True)
class DataShape:
    """The sizes of a task's data that the cost of a fit depends on."""

    train_rows: int
    validation_rows: int
    tokens: float | None
    """Mean number of tokens of an input, estimated from its words; None if inputs are no texts."""
    all_rows: int = 0
    """Number of all training rows, of which fits see `train_rows`."""
    fingerprint: str = ""
    """A digest of all training and validation rows."""
    test_rows: int | None = None
    """Number of rows of the test split, which the winner has to predict; None if it is not known."""

    @property
    def scored_rows(self) -> int:
        """Number of rows that the winner has to predict."""
        return self.validation_rows if self.test_rows is None else self.test_rows


def data_shape(splits: Splits, protocol: Protocol) -> DataShape:
    """Returns the size of the splits that a fit reads; of the test split only the number of rows is looked at.

    Raises:
        DataError: The data cannot be read, or are too few to be divided.
        PluginError: A split is empty.
    """
    train, validation = splits.subset(0, protocol.amount), splits.validation_of(protocol.amount)
    fingerprint = f"{splits.train.fingerprint} {splits.validation.fingerprint}"
    return DataShape(len(train), len(validation), _tokens(train), len(splits.train), fingerprint, splits.test_rows)


def _tokens(examples: Examples) -> float | None:
    sample = examples[: min(_SAMPLE, len(examples))]
    words = [_words(item) for example in sample for item in example.inputs if isinstance(item, str | tuple | list)]
    return sum(words) / len(sample) * TOKENS_A_WORD + 2 if words else None


def _words(item: object) -> int:
    return len(item.split()) if isinstance(item, str) else len(item) if isinstance(item, tuple | list) else 0
