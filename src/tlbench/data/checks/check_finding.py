"""The result of one check: what was found in the data, how often, where, and what to do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Literal, TypeAlias

from tlbench.contracts.outputs import Output
from tlbench.contracts.task import Example, Examples
from tlbench.data.input_keys import input_key

Severity: TypeAlias = Literal["warning", "note"]
"""A warning may make scores wrong or misleading; a note is good to know."""
SHOWN = 5
"""Maximum number of rows or classes that a finding names."""


@dataclass(frozen=True)
class Finding:
    """One problem of a task's data, or one fact that is good to know."""

    kind: str
    """The check that found it, in kebab-case, such as "empty-input"."""
    severity: Severity
    message: str
    """What was found, in one sentence with counts. Notes of a task may quote its data: escape them before they are
    shown."""
    count: int = 1
    """Number of rows, inputs, groups or classes that the message counts."""
    examples: tuple[str, ...] = ()
    """Ids of the first rows, or names of classes. They come from the data: escape them before they are shown."""
    advice: str = ""
    """What to do about it."""


@dataclass(frozen=True)
class CheckedData:
    """The input of the checks: the examples of a task and the form of their targets."""

    splits: Mapping[str, Examples]
    """The examples of train, validation and test, in this order; those of a split that is not checked are left out."""
    output: Output
    labelled: tuple[str, ...] = ("train", "validation")
    """The splits whose targets may be read. Without "test", no finding depends on the targets of the test split."""
    options: frozenset[str] = frozenset()
    """The parameters that apply to the task and can be set in its name; advice names only these."""
    metric: str = ""
    """The task's primary metric."""

    @cached_property
    def keys(self) -> dict[str, list[Hashable]]:
        """The key of each row's inputs, by split; rows with equal inputs have equal keys."""
        return {split: [input_key(row.inputs) for row in rows] for split, rows in self.splits.items()}

    @cached_property
    def valid_rows(self) -> dict[str, list[Example]]:
        """The rows of each labelled split that have a valid target."""
        return {
            split: [row for row in self.splits[split] if self.output.target_error(row) is None]
            for split in self.labelled
            if split in self.splits
        }

    @cached_property
    def class_counts(self) -> dict[str, dict[str, int]]:
        """The number of rows with each class, by labelled split and name of the class; empty without classes."""
        names = self.output.classes
        if not names:
            return {}
        counts = {}
        for split, rows in self.valid_rows.items():
            found: Counter[int] = Counter()
            for row in rows:
                found.update(self.output.class_indices(row.target))
            counts[split] = {name: found[index] for index, name in enumerate(names)}
        return counts


def first_ids(rows: Iterable[Example]) -> tuple[str, ...]:
    """Returns the ids of the first rows, at most `SHOWN`."""
    return tuple(row.id for row in islice(rows, SHOWN))


def rows_of(count: int, total: int, split: str, verbs: tuple[str, str]) -> str:
    """Returns the beginning of a message on some rows of a split, such as "2 of 8 train rows have".

    Args:
        count: Number of the rows.
        total: Number of all rows of the split.
        split: Name of the split.
        verbs: The verb for one row and for several.
    """
    return f"{count:,} of {counted(total, f'{split} row')} {verbs[count != 1]}"


def counted(count: int, noun: str, plural: str = "") -> str:
    """Returns a number with its noun, such as "1 row" or "1,200 rows"."""
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"
