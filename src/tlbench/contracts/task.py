"""The task contract: splits of examples, the kind of output to predict, and the metrics that score it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar, Literal, overload

from tlbench.contracts.images.image_file import image_digest
from tlbench.contracts.outputs import Output

SplitName = Literal["train", "validation", "unlabeled", "test"]
"""The name of a split: "train", "validation", "unlabeled" or "test"."""
Modality = Literal["text", "image"]
UnlabeledLike = Literal["none", "train", "test"]


# With slots, since a task may have a million of them in memory.
@dataclass(frozen=True, slots=True)
class Example:
    """One example: its inputs, its target, and the slices that it belongs to.

    Example("dev-17", ("A warm, funny film.",), target=1, slices={"length": "short"})
    """

    id: str
    """Identifier of the example, unique within its task."""
    inputs: tuple[Any, ...]
    """One text, or a pair of texts; a tuple of words for `TokenClasses`; a question and its context for `Span`; or one
    image. Texts and words are `str`, images are `PIL.Image.Image` or `ImageFile`."""
    target: Any = None
    """The label in the form of the task's output: an index for `Classes`, a float for `Scalar`; None if unlabelled."""
    slices: Mapping[str, str] = field(default_factory=dict)
    """The slices of the example as values by column, such as `{"phenomenon": "agreement"}`; the columns are listed in
    `Task.slices`."""
    group: str = ""
    """What the example belongs to, such as a patient, a document or a speaker; examples of one group are never drawn
    into different splits. In the test split, intervals and tests resample whole groups. Empty for an example that is a
    group of its own."""


class Examples(Sequence[Example]):
    """An immutable sequence of examples with a fingerprint of their content."""

    def __init__(self, rows: Iterable[Example]) -> None:
        self._rows = tuple(rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Example]:
        return iter(self._rows)

    @overload
    def __getitem__(self, index: int) -> Example: ...
    @overload
    def __getitem__(self, index: slice) -> Examples: ...
    def __getitem__(self, index: int | slice) -> Example | Examples:
        return Examples(self._rows[index]) if isinstance(index, slice) else self._rows[index]

    def take(self, indices: Iterable[int]) -> Examples:
        """Returns the examples at these indices, in the order given."""
        return Examples(self._rows[i] for i in indices)

    def without_targets(self) -> Examples:
        """Returns the same examples with their targets set to None."""
        return Examples(replace(row, target=None) for row in self._rows)

    def without_groups(self) -> Examples:
        """Returns the same examples without their groups, or this object if no example has a group."""
        return Examples(replace(row, group="") for row in self._rows) if any(row.group for row in self._rows) else self

    @cached_property
    def fingerprint(self) -> str:
        """A digest of ids, inputs, targets, slices and groups in sixteen hex digits; equal for equal examples."""
        digest = hashlib.sha256()
        for row in self._rows:
            inputs = [item if isinstance(item, str | tuple | list) else image_digest(item) for item in row.inputs]
            # A group is left out where there is none, so that examples without groups keep their fingerprint.
            group = [row.group] if row.group else []
            line = [row.id, inputs, row.target, dict(sorted(row.slices.items())), *group]
            # default=str: a target may be of any type that a plugin's own kind of output accepts.
            digest.update(json.dumps(line, ensure_ascii=False, default=str).encode())
            digest.update(b"\n")
        return digest.hexdigest()[:16]


class Task:
    """Base class of tasks: set the attributes below and implement `split`.

        class Parity(Task):
            name, modality, metrics = "parity", "text", ("accuracy",)
            output = Classes(("even", "odd"))

            def split(self, name):
                ranges = {"train": range(100), "test": range(100, 200)}
                if name not in ranges:
                    return None
                return Examples(Example(str(n), (f"the number {n}",), n % 2) for n in ranges[name])

    A subclass that is a frozen dataclass has parameters: its fields can be set in a name, as in `parity[digits=3]`.
    `tlbench show` lists them, with a line of help for a `field(default=3, metadata={"help": "number of digits"})`.

    Almost every command creates all tasks, so creating one must be fast and must not import torch; data is read or
    generated in `split`. Test a task with `tlbench.testing.conformance.TaskConformance`.
    """

    # Not ClassVars: one class may serve several tasks and have these as fields of its dataclass.
    name: str
    """Name of the task in suites and on the command line, in kebab-case."""
    modality: Modality
    output: Output
    """The kind of output to predict, with the names of its classes if it has classes."""
    metrics: tuple[str, ...]
    """Names from `tlbench.METRICS` or of a plugin's metrics; the first is the primary metric."""
    slices: tuple[str, ...] = ()
    """Columns by which scores are broken down, such as "phenomenon"."""
    positive: int = 1
    """Index of the positive class, for binary F1."""
    group: str = ""
    """What kind of thing `Example.group` names, such as "document"; shown beside the number of groups."""
    pairs: bool = False
    """Whether an example's inputs are two texts to compare; if False, strategies that compare texts are skipped."""
    input_columns: tuple[tuple[str, ...], ...] = ()
    """For each input the columns of the task's files that it comes from, joined by line ends, so that `tlbench predict`
    finds them in new files; empty if the task is not made of a table."""
    unlabeled_like: UnlabeledLike = "none"
    """The distribution of the split `unlabeled`: "train" for that of train and validation; "test" for that of the test
    split where it is another one, the target domain of domain adaptation; "none" if there is no such split."""
    version: ClassVar[int] = 1
    """Version of the task; part of cell ids. Increase it when results change because of other examples, splits or
    preprocessing."""
    description: str = ""
    """One line for `tlbench list` and `tlbench show`."""
    source: str = ""
    """The paper or web page of the data."""
    licence: str = ""
    """The licence of the data, or what is known of it."""
    datasets: tuple[str, ...] = ()
    """Names of public data sets of the examples, such as ("squad",), to compare with a backbone's `Card.trained_on`."""
    sizes: ClassVar[Mapping[str, int]] = MappingProxyType({})
    """Published number of examples of each split, by name of the split; tasks that read files compare them with it."""

    def split(self, name: SplitName) -> Examples | None:
        """Returns the examples of a split, or None if the task has no such split.

        Called in a worker, and again in every worker that needs the split: it must return equal examples every time.
        `train` and `test` are required. Without `validation`, 20% of `train` (at most 2,000 examples) are split off
        with a fixed seed: stratified, without dividing equal inputs or groups, and with every class left in train.
        `test` is requested only after the winner of the search is frozen on disk.

        Raises:
            DataError: A file that cannot be read; the message has file and row.
        """
        raise NotImplementedError

    def missing(self) -> str | None:
        """Returns a message that says which data is missing on this machine and how to get it; None if none is missing.

        A plan skips the task with this text as the reason. The method is called for every task that is listed or
        planned, so it should only check that files exist, without reading them.
        """
        return None

    def fetch(self) -> None:
        """Downloads the data that is missing, so that later runs work offline; called by `tlbench fetch`.

        Files that are already on this machine must be left unchanged.

        Raises:
            UsageError: The data cannot be downloaded; the message says where to get it.
        """
