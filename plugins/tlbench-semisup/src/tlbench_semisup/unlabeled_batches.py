"""Endless batches of unlabelled rows for a loss, with the frozen stages of the model computed once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tlbench import Job
from tlbench.modeling.data import Batch, Data
from tlbench.training import Model, train_batches
from tlbench.training.model import placed


class UnlabeledBatches:
    """Draws unlabelled rows epoch after epoch, and reads them from any of several views of the same examples."""

    def __init__(
        self, model: Model, job: Job, views: Sequence[Data], size: int, rows: Sequence[int] | None = None
    ) -> None:
        """Prepares the batches.

        Args:
            model: The model, whose frozen stages are computed once unless a view changes at each reading.
            job: The job, whose seed orders the rows.
            views: Data sets with one row for each example, in the same order.
            size: Rows per batch.
            rows: The rows to read; None for all.
        """
        self._model = model
        self._views = [cached(model, job, view) for view in views]
        self._rows = np.arange(len(views[0])) if rows is None else np.asarray(rows)
        self._order = train_batches(views[0].lengths[self._rows], size, job.seed)

    def draw(self) -> list[int]:
        """Returns the numbers of the next rows."""
        rows: list[int] = self._rows[next(self._order)].tolist()
        return rows

    def batch(self, rows: Sequence[int], view: int = 0) -> Batch:
        """Returns the rows of a view as a batch on the model's device."""
        return placed(self._views[view].batch(rows), self._model.device)


def cached(model: Model, job: Job, data: Data) -> Data:
    """Returns the data with the output of the model's frozen stages as rows, if it does not change between readings."""
    if model.start == 0 or data.augmented:
        return data
    return job.activations.hidden(model.encoder, data, model.start, job.precision)
