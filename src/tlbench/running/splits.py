"""A task's train and validation splits, the training subset of each seed, and folds."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from tlbench.contracts.cell import Final
from tlbench.contracts.errors import DataError, PluginError
from tlbench.contracts.identity.amount import Amount
from tlbench.contracts.task import Examples, SplitName, Task
from tlbench.data.carving import carve
from tlbench.data.folds import divide_into_folds
from tlbench.data.subsets import draw_subset, permutation

VALIDATION_SEED = 0
"""The seed of the draw from validation: trials of all strategies and seeds are validated on the same examples."""


class Splits:
    """A task's splits, of the test split the number of rows alone; each is read once, when it is first needed."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._read: dict[str, Examples | None] = {}
        self._both: Examples | None = None
        self._folds: dict[tuple[int, str], list[list[int]]] = {}
        self._drawn: dict[tuple[int, Amount, str], list[int]] = {}

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

    def validation_of(self, amount: Amount) -> Examples:
        """Returns the validation examples of an amount: all, or a draw with a fixed seed, the same for all fits."""
        drawn = self._validation_drawn(amount)
        return self.validation if drawn is None else self.validation.take(drawn)

    @cached_property
    def test_rows(self) -> int | None:
        """Number of test examples, which the cost of scoring depends on; None if the split cannot be read."""
        try:
            examples = self._task.split("test")
        except Exception:  # the fits that need it say what is wrong
            return None
        return None if examples is None else len(examples)

    def labelled(self, part: Final) -> Examples:
        """Returns the training examples, or with "train+validation" those of train followed by those of validation."""
        if part == "train":
            return self.train
        if self._both is None:
            self._both = Examples((*self.train, *self.validation))
        return self._both

    def drawn(self, seed: int, amount: Amount, part: Final = "train") -> Sequence[int] | None:
        """Returns the positions in `labelled(part)` of the examples that a seed draws; None for all of them.

        Draws of one seed are nested and the same for every strategy. For train and validation without folds, they are
        the draw from train followed by that from validation.

        Raises:
            DataError: There are too few examples of a class, or no classes, for this number of shots.
        """
        examples = self.labelled(part)
        if amount.shots is None and amount.fraction is None and (amount.limit or len(examples)) >= len(examples):
            return None
        key = (seed, amount, part)
        if key not in self._drawn:
            if part == "train+validation" and not amount.folded:
                of_train, of_validation = self.drawn(seed, amount), self._validation_drawn(amount)
                first, second = of_train or range(len(self.train)), of_validation or range(len(self.validation))
                self._drawn[key] = [*first, *(len(self.train) + position for position in second)]
            else:
                self._drawn[key] = self._draw(examples, amount, seed)
        return self._drawn[key]

    def subset(self, seed: int, amount: Amount, part: Final = "train") -> Examples:
        """Returns the labelled examples that a seed draws, or all if the amount has no limit."""
        drawn = self.drawn(seed, amount, part)
        return self.labelled(part) if drawn is None else self.labelled(part).take(drawn)

    def pool(
        self, seeds: Sequence[int], amount: Amount, part: Final = "train"
    ) -> tuple[Examples, dict[int, list[int]]]:
        """Returns the union of several seeds' subsets and, for each seed, the positions of its subset in the union."""
        # One pool for all seeds lets a backbone encode each example once.
        examples = self.labelled(part)
        drawn = {seed: self.drawn(seed, amount, part) or range(len(examples)) for seed in seeds}
        pool = sorted({index for indices in drawn.values() for index in indices})
        where = {index: position for position, index in enumerate(pool)}
        return examples.take(pool), {seed: [where[index] for index in indices] for seed, indices in drawn.items()}

    def folds(self, count: int, seed: int, amount: Amount) -> list[list[int]]:
        """Returns for each fold the positions of its examples in `subset(seed, amount, "train+validation")`, sorted.

        The folds are the same for every strategy; without a limit they are also the same for every seed.

        Raises:
            PluginError: There are too few different examples for this number of folds.
        """
        examples = self.subset(seed, amount, "train+validation")
        if (count, examples.fingerprint) not in self._folds:
            try:
                folds = divide_into_folds(examples, self._task.output, count)
            except DataError as error:
                raise PluginError(f"{self._task.name}: {error}") from error
            self._folds[count, examples.fingerprint] = folds
        return self._folds[count, examples.fingerprint]

    def unlabeled(self, seed: int, amount: Amount, part: Final = "train") -> Examples | None:
        """Returns the task's unlabelled examples and the labelled ones that the seed does not draw, without labels.

        Where the unlabelled ones are of another domain than the labelled ones, it returns them alone; None if there are
        no such examples.
        """
        own = self._read_split("unlabeled")
        drawn, rest = self.drawn(seed, amount, part), Examples(())
        if drawn is not None and self._task.unlabeled_like != "test":
            examples, seen = self.labelled(part), set(drawn)
            rest = examples.take([one for one in permutation(len(examples), seed) if one not in seen])
        if own is None and not rest:
            return None
        return Examples((*(own or ()), *rest)).without_targets()

    def _validation_drawn(self, amount: Amount) -> Sequence[int] | None:
        if not amount.limits_validation:
            return None
        key = (VALIDATION_SEED, amount, "validation")
        if key not in self._drawn:
            self._drawn[key] = self._draw(self.validation, amount, VALIDATION_SEED, fewer=True)
        return self._drawn[key]

    def _draw(self, examples: Examples, amount: Amount, seed: int, *, fewer: bool = False) -> list[int]:
        try:
            return draw_subset(examples, self._task.output, amount, seed, fewer=fewer)
        except DataError as error:
            raise DataError(f"{self._task.name}: {error}") from error

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
