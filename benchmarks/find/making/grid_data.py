"""The tasks of the grid: splits of public data sets that are drawn once and are the same for every fit and seed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from tlbench import DataError, Example, Examples, SplitName, Task
from tlbench.catalog.catalog import Catalog
from tlbench.data.input_keys import input_key
from tlbench.data.subsets import permutation

DATA_VARIABLE = "TLBENCH_DATA"
PREFIX = "grid-"


@dataclass(frozen=True)
class GridData:
    """A task of the grid, and how many rows it has."""

    name: str
    source: str
    """The task's name in tlbench; `{data}` stands for the folder of data sets."""
    train: int = 800
    pool: int = 600
    """Rows of the validation pool, of which each replay draws some."""
    test: int = 2000
    """Most test rows."""
    redrawn: bool = False
    """Whether the data have no test split of their own, so that one is drawn here."""
    size: int = 64
    """Side of the images in pixels, for backbones that read several sizes."""
    tokens: int = 64
    """Most tokens of a text, for backbones that have a limit."""

    def installed(self, catalog: Catalog) -> Task:
        """Returns the task that the rows are drawn from."""
        return catalog.task(self.source.format(data=os.environ.get(DATA_VARIABLE, "."))).item


TEXTS = (
    GridData("sst2", "sst2"),
    GridData("trec", "trec"),
    GridData("cola", "cola"),
    GridData("banking77", "banking77", train=1000),
    GridData("sms-spam", "sms-spam", redrawn=True, tokens=32),
)
IMAGES = (
    GridData("cifar10-jpg", "imagefolder:{data}/cifar10_jpg"),
    GridData("digits", "digits", train=500, pool=400, redrawn=True),
    GridData("hymenoptera", "hymenoptera", train=60, pool=40, size=96),
)


class FrozenSplits(Task):
    """Train, validation and test rows of another task, without equal inputs in two splits; accuracy is the metric."""

    metrics = ("accuracy",)

    def __init__(self, data: GridData, inner: Task) -> None:
        self.data, self.inner = data, inner
        self.name = f"{PREFIX}{data.name}"
        self.modality, self.output, self.pairs = inner.modality, inner.output, inner.pairs

    def split(self, name: SplitName) -> Examples | None:
        """Returns the rows of a split; there is no unlabelled one.

        Raises:
            DataError: The data are too few, or a class is not among the training rows.
        """
        return self._splits.get(name)

    @cached_property
    def _splits(self) -> dict[str, Examples]:
        data, inner = self.data, self.inner
        test = list(inner.split("test") or ())
        labelled = [*(inner.split("train") or ()), *(inner.split("validation") or ())]
        if data.redrawn:
            labelled, test = [*labelled, *test], []
        left = _shuffled(_distinct(labelled, besides=test))
        train, pool, rest = left[: data.train], left[data.train :][: data.pool], left[data.train + data.pool :]
        test = (rest if data.redrawn else _shuffled(test))[: data.test]
        if len(train) < data.train or len(pool) < data.pool or not test:
            raise DataError(f"{self.name}: {len(left)} rows are too few for {data.train} and {data.pool}")
        if lacking := set(range(len(self.output.classes))) - {row.target for row in train}:
            raise DataError(f"{self.name}: no training row of the class {self.output.classes[min(lacking)]!r}")
        return {"train": Examples(train), "validation": Examples(pool), "test": Examples(test)}


def _distinct(rows: Sequence[Example], besides: Sequence[Example]) -> list[Example]:
    """Returns the first row of each input, without inputs of other rows."""
    known = {input_key(row.inputs) for row in besides}
    found = []
    for row in rows:
        key = input_key(row.inputs)
        if key not in known:
            known.add(key)
            found.append(row)
    return found


def _shuffled(rows: Sequence[Example]) -> list[Example]:
    return [rows[number] for number in permutation(len(rows), 0)]
