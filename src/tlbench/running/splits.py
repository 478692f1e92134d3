"""Which examples a fit sees: validation carved out where there is none, and the training subset of a seed."""

from __future__ import annotations

from collections.abc import Sequence

from tlbench.contracts.errors import PluginError
from tlbench.contracts.task import Examples, SplitName, Task

CARVE_SEED = 0
CARVE_FRACTION = 0.2
CARVE_AT_MOST = 2000


class Splits:
    """A task's splits, each read once and only when it is asked for; the test split is not among them."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._read: dict[str, Examples | None] = {}

    @property
    def train(self) -> Examples:
        """All training examples."""
        self._carve()
        return self._whole("train")

    @property
    def validation(self) -> Examples:
        """The validation examples: the task's own, or carved out of train by a fixed seed."""
        self._carve()
        return self._whole("validation")

    def subset(self, seed: int, limit: int | None) -> Examples:
        """Returns the first `limit` training examples in the order that the seed draws.

        Subsets of one seed are nested, and the same for every strategy.
        """
        if limit is None or limit >= len(self.train):
            return self.train
        return self.train.take(_order(len(self.train), seed)[:limit])

    def pool(self, seeds: Sequence[int], limit: int) -> tuple[Examples, dict[int, list[int]]]:
        """Returns the examples that are in the subset of any of the seeds, and where each seed's stand among them."""
        drawn = {seed: _order(len(self.train), seed)[:limit] for seed in seeds}
        pool = sorted({index for indices in drawn.values() for index in indices})
        where = {index: position for position, index in enumerate(pool)}
        return self.train.take(pool), {seed: [where[index] for index in indices] for seed, indices in drawn.items()}

    def unlabeled(self, seed: int, limit: int | None) -> Examples | None:
        """Returns the task's own unlabelled examples plus the training examples beyond the limit, labels removed."""
        own = self._get("unlabeled")
        rest = Examples(())
        if limit is not None and limit < len(self.train):
            rest = self.train.take(_order(len(self.train), seed)[limit:])
        if own is None and not rest:
            return None
        return Examples((*(own or ()), *rest)).without_targets()

    def _carve(self) -> None:
        if self._get("validation") is not None:
            return
        whole = self._whole("train")
        order = _order(len(whole), CARVE_SEED)
        size = min(CARVE_AT_MOST, max(1, round(len(whole) * CARVE_FRACTION)))
        if size >= len(whole):
            raise PluginError(f"{self._task.name}: {len(whole)} training examples are too few to carve validation from")
        self._read["validation"] = whole.take(sorted(order[:size]))
        self._read["train"] = whole.take(sorted(order[size:]))

    def _whole(self, name: SplitName) -> Examples:
        examples = self._get(name)
        if not examples:
            raise PluginError(f"{self._task.name}: the {name} split is empty")
        return examples

    def _get(self, name: SplitName) -> Examples | None:
        if name not in self._read:
            self._read[name] = self._task.split(name)
        return self._read[name]


def _order(count: int, seed: int) -> list[int]:
    import numpy as np

    # The bit generator is named so that a change of numpy's default cannot move the subsets.
    return [int(i) for i in np.random.Generator(np.random.PCG64(seed)).permutation(count)]
