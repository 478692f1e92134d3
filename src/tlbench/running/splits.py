"""A task's train and validation splits, the training subset of each seed, and folds."""

from __future__ import annotations

from collections.abc import Sequence

from tlbench.contracts.cell import Final
from tlbench.contracts.errors import DataError, PluginError
from tlbench.contracts.task import Examples, SplitName, Task
from tlbench.data.carving import carve
from tlbench.data.folds import divide_into_folds


class Splits:
    """A task's splits except the test split; each is read once, when it is first needed."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._read: dict[str, Examples | None] = {}
        self._both: Examples | None = None
        self._folds: dict[tuple[int, str], list[list[int]]] = {}

    @property
    def train(self) -> Examples:
        """All training examples, without those that were set aside for validation."""
        self._carve_validation()
        return self._non_empty("train")

    @property
    def validation(self) -> Examples:
        """The task's own validation examples, or else a part of the training split, carved with a fixed seed."""
        self._carve_validation()
        return self._non_empty("validation")

    def labelled(self, part: Final) -> Examples:
        """Returns the training examples, or with "train+validation" those of train followed by those of validation."""
        if part == "train":
            return self.train
        if self._both is None:
            self._both = Examples((*self.train, *self.validation))
        return self._both

    def subset(self, seed: int, limit: int | None, part: Final = "train") -> Examples:
        """Returns the first `limit` labelled examples of the seed's permutation.

        Subsets of one seed are nested and the same for every strategy. Without a limit all labelled examples are
        returned.
        """
        examples = self.labelled(part)
        if limit is None or limit >= len(examples):
            return examples
        return examples.take(_permutation(len(examples), seed)[:limit])

    def pool(self, seeds: Sequence[int], limit: int, part: Final = "train") -> tuple[Examples, dict[int, list[int]]]:
        """Returns the union of several seeds' subsets and, for each seed, the positions of its subset in the union."""
        # One pool for all seeds lets a backbone encode each example once.
        examples = self.labelled(part)
        drawn = {seed: _permutation(len(examples), seed)[:limit] for seed in seeds}
        pool = sorted({index for indices in drawn.values() for index in indices})
        where = {index: position for position, index in enumerate(pool)}
        return examples.take(pool), {seed: [where[index] for index in indices] for seed, indices in drawn.items()}

    def folds(self, count: int, seed: int, limit: int | None) -> list[list[int]]:
        """Returns for each fold the positions of its examples in `subset(seed, limit, "train+validation")`, sorted.

        The folds are the same for every strategy; without a limit they are also the same for every seed.

        Raises:
            PluginError: There are too few different examples for this number of folds.
        """
        examples = self.subset(seed, limit, "train+validation")
        if (count, examples.fingerprint) not in self._folds:
            try:
                folds = divide_into_folds(examples, self._task.output, count)
            except DataError as error:
                raise PluginError(f"{self._task.name}: {error}") from error
            self._folds[count, examples.fingerprint] = folds
        return self._folds[count, examples.fingerprint]

    def unlabeled(self, seed: int, limit: int | None, part: Final = "train") -> Examples | None:
        """Returns the task's unlabelled examples and the labelled examples beyond the limit, without labels.

        Returns None if there are no such examples.
        """
        own = self._read_split("unlabeled")
        rest = Examples(())
        if limit is not None and limit < len(self.labelled(part)):
            rest = self.labelled(part).take(_permutation(len(self.labelled(part)), seed)[limit:])
        if own is None and not rest:
            return None
        return Examples((*(own or ()), *rest)).without_targets()

    def _carve_validation(self) -> None:
        if self._read_split("validation") is not None:
            return
        whole = self._non_empty("train")
        try:
            # Before any training limit, so that the validation split is the same for every limit.
            train, validation = carve(whole, self._task.output)
        except DataError as error:
            raise DataError(f"{self._task.name}: {error}") from error
        self._read["validation"] = whole.take(validation)
        self._read["train"] = whole.take(train)

    def _non_empty(self, name: SplitName) -> Examples:
        examples = self._read_split(name)
        if not examples:
            raise PluginError(f"{self._task.name}: the {name} split is empty")
        return examples

    def _read_split(self, name: SplitName) -> Examples | None:
        if name not in self._read:
            self._read[name] = self._task.split(name)
        return self._read[name]


def _permutation(count: int, seed: int) -> list[int]:
    """Returns the numbers below `count` in an order that depends on the seed alone."""
    import numpy as np

    # The bit generator is named, so that a new default in NumPy cannot change the subsets.
    return [int(i) for i in np.random.Generator(np.random.PCG64(seed)).permutation(count)]
