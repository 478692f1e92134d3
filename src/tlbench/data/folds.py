"""Draws the folds of a stratified cross-validation, with equal examples and groups in one fold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

from tlbench.contracts.errors import DataError
from tlbench.contracts.outputs import Output
from tlbench.contracts.task import Example
from tlbench.data.carving import undivided_keys

FOLD_SEED = 0
"""The seed of the draw: the folds of a task are the same for every trial, strategy and seed."""


def divide_into_folds(examples: Sequence[Example], output: Output, folds: int) -> list[list[int]]:
    """Returns the positions of each fold's examples, sorted; the folds are stratified by `Output.strata`.

    Examples with equal inputs (or questions about one context) and examples of one group are in one fold.

    Raises:
        DataError: There are fewer different examples than folds.
    """
    strata = output.strata([example.target for example in examples])
    return draw_folds(undivided_keys(examples, output), strata, folds)


def draw_folds(
    keys: Sequence[Hashable], strata: Sequence[Hashable], folds: int, seed: int = FOLD_SEED
) -> list[list[int]]:
    """Returns the positions of each fold's rows, sorted; every row is in exactly one fold, and no fold is empty.

    Rows with equal keys are drawn together into the fold that has the smallest share of their strata so far, large sets
    of rows first (as in scikit-learn's `StratifiedGroupKFold`). If all keys differ, the sizes of two folds therefore
    differ by at most one, and so do their numbers of rows of each stratum.

    Args:
        keys: A key for each row, such as its content or its group; rows with equal keys are in one fold.
        strata: The class of each row, or another value whose distribution should be equal in all folds.
        folds: The number of folds, at least 2.
        seed: The seed of the draw.

    Raises:
        DataError: There are fewer different keys than folds.
    """
    import numpy as np

    # dicts keep insertion order, so sets of rows are in the order of their first rows and do not depend on hashes.
    rows_of: dict[Hashable, list[int]] = {}
    for row, key in enumerate(keys):
        rows_of.setdefault(key, []).append(row)
    if len(rows_of) < folds:
        raise DataError(
            f"{folds} folds need as many training examples with different inputs (and groups), and there are "
            f"{len(rows_of)}: choose fewer folds, or add examples"
        )
    units = list(rows_of.values())
    totals = Counter(strata)
    # Named explicitly, so that a new default generator in NumPy cannot change the folds.
    order = np.random.Generator(np.random.PCG64(seed)).permutation(len(units)).tolist()
    counts: list[Counter[Hashable]] = [Counter() for _ in range(folds)]
    drawn: list[list[int]] = [[] for _ in range(folds)]
    # Large sets first, since small ones can then fill the gaps; sorting is stable, so others stay in random order.
    for unit in (units[index] for index in sorted(order, key=lambda index: -len(units[index]))):
        added = Counter(strata[row] for row in unit)

        def cost(fold: int, added: Counter[Hashable] = added) -> tuple[float, int, int]:
            # By how much the sum of squared shares of the strata grows; an empty fold costs the least.
            grown = sum((2 * counts[fold][one] + count) * count / totals[one] for one, count in added.items())
            return grown, len(drawn[fold]), fold

        chosen = min(range(folds), key=cost)
        counts[chosen].update(added)
        drawn[chosen] += unit
    return [sorted(rows) for rows in drawn]
