"""Fits the winner of a record again on this machine, and compares its test predictions with the stored ones.

On an equal machine with equal versions predictions are equal to the bit. Elsewhere rounding, precision and threads
differ, so two bounds hold for each seed: at least `AGREEMENT` of the answers agree, and a paired test at `ALPHA`,
divided by the number of seeds, finds no difference of the primary metric. Changes in both directions, as rounding makes
them, pass; those that raise a score do not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.errors import TlbenchError
from tlbench.contracts.metric import Metric
from tlbench.contracts.record import Record
from tlbench.metrics.scored import Scored
from tlbench.metrics.scored_arrays import scored_of
from tlbench.results.comparison.paired_test import paired_test
from tlbench.results.stats import CellPredictions
from tlbench.running.fitting.measuring.timing import predict
from tlbench.running.fitting.session import restored_globals
from tlbench.running.verification.stored_answers import StoredAnswers
from tlbench.running.winners.kept_winner import context_of, fitted_again

AGREEMENT = 0.9
"""Smallest share of equal answers; numbers agree within a tenth of the standard deviation of the targets."""
ALPHA = 0.01
"""Largest share of honest submissions whose score is refused."""
_WITHIN = 0.1


@dataclass(frozen=True)
class SeedRerun:
    """What fitting again at one seed gave."""

    seed: int
    agreement: float
    """The share of test examples with the same answer."""
    stored: float
    """The primary metric of the stored predictions."""
    again: float
    p: float | None
    """The p-value of the paired test of the two."""
    fault: str = ""


def rerun(record: Record, answers: StoredAnswers, catalog: Catalog, device: str) -> Iterator[SeedRerun]:
    """Yields the outcome of fitting the winner again at each seed.

    Raises:
        UsageError: A plugin or data are missing here, or a fit failed.
    """
    import torch

    context = context_of(record, catalog, device)
    with restored_globals():
        torch.set_num_threads(context.session.threads)
        for fit in record.fits:
            fitted = fitted_again(fit, record, context)
            assert fitted.predictor is not None
            test = context.test()
            made = predict(fitted.predictor, context.data(test.without_targets()))
            targets = [example.target for example in test]
            place = {name: row for row, name in enumerate(made.ids)}
            rows = np.array([place[name] for name in answers.ids])
            scored = scored_of(context.info.output, targets, made, context.info.positive).take(rows)
            yield compared(answers, fit.seed, scored, context.metric, len(record.fits))


def compared(answers: StoredAnswers, seed: int, again: Scored, metric: Metric, seeds: int = 1) -> SeedRerun:
    """Returns the comparison of the stored predictions of a seed with those made again, in the order of the former."""
    stored = answers.scored[seed]
    agreement = float(_agree(stored, again).mean())
    first, second = (_of_cell(answers, seed, one) for one in (stored, again))
    try:
        test = paired_test(metric, first, second)
    except (TlbenchError, ValueError) as error:
        return SeedRerun(seed, agreement, float("nan"), float("nan"), None, f"they cannot be compared: {error}")
    fault = ""
    if agreement < AGREEMENT:
        fault = f"{agreement:.1%} of the answers agree, and {AGREEMENT:.0%} are needed"
    elif test.p is not None and test.p < ALPHA / seeds:
        fault = f"{metric.label} is {test.first:.4f} in the record and {test.second:.4f} here (p = {test.p:.2g})"
    return SeedRerun(seed, agreement, test.first, test.second, test.p, fault)


def _agree(stored: Scored, again: Scored) -> np.ndarray:
    """Returns (N,): whether each example has the same answer."""
    if stored.values.dtype == object:
        return np.array([one == other for one, other in zip(stored.values, again.values, strict=True)])
    if stored.values.dtype.kind == "f":
        spread = float(stored.targets.std()) or 1.0
        return np.asarray(np.abs(stored.values - again.values) <= _WITHIN * spread)
    equal = stored.values == again.values
    return np.asarray(equal if equal.ndim == 1 else equal.all(axis=1))


def _of_cell(answers: StoredAnswers, seed: int, scored: Scored) -> CellPredictions:
    scores = None if scored.scores is None else scored.scores[None]
    stored = answers.scored[seed]
    return CellPredictions(tuple(answers.ids), stored.targets, scored.values[None], (seed,), scores, answers.positive)
