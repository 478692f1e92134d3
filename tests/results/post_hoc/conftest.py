"""A store with made-up predictions of validation and test."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tlbench.contracts.cell import Cell, Protocol, Ref
from tlbench.contracts.record import Record, TestScore
from tlbench.metrics.resampling import bootstrap, score
from tlbench.metrics.scored import Scored
from tlbench.results.post_hoc.stored_splits import StoredSplits

SEEDS = (0, 1, 2)


class Made:
    """Commits cells of one task with given predictions."""

    def __init__(self, store, folder):
        self.store, self._work = store, folder
        self._work.mkdir()
        self.splits = StoredSplits(store)

    def commit(self, strategy, validation, test, metrics=("accuracy",), task="toy-tone"):
        """Commits a cell; `validation` and `test` have the predictions of each seed, or are None."""
        scores = tuple(
            TestScore(name, seed, score(name, row), *bootstrap(name, row, resamples=50), len(row))
            for seed, row in test.items()
            for name in metrics
        )
        self._write("test.parquet", test)
        if validation is not None:
            self._write("validation.parquet", validation)
        cell = Cell(Ref(task), Ref(strategy), Protocol(seeds=tuple(test)), Ref("toy"))
        record = Record(
            cell, "ok", metrics=metrics, scores=scores, predictions="test.parquet",
            validation_predictions=None if validation is None else "validation.parquet",
        )  # fmt: skip
        assert self.store.commit(record, self._work)
        return cell.id

    def _write(self, name, seeds):
        parts = [
            {"seed": [seed] * len(row), "id": [f"e{i}" for i in range(len(row))], "target": row.targets.tolist(),
             "value": row.values.tolist()} | ({} if row.scores is None else {"scores": row.scores.tolist()})
            for seed, row in seeds.items()
        ]  # fmt: skip
        path = self._work / name
        path.unlink(missing_ok=True)
        pq.write_table(pa.concat_tables([pa.table(part) for part in parts]), path)

    def validation(self, cell_id):
        return self.store.root / "records" / f"{cell_id}.1.validation.parquet"


@pytest.fixture
def made(store, tmp_path):
    return Made(store, tmp_path / "work")


def classes(targets, positive):
    """Returns predictions of two classes from the probabilities of class 1."""
    positive = np.asarray(positive, dtype=np.float64)
    scores = np.stack([1 - positive, positive], axis=1)
    return Scored(np.asarray(targets), scores.argmax(axis=1), scores)


@pytest.fixture(scope="session")
def two_classes():
    return classes
