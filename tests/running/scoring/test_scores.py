"""What a cell's record says beside its primary metric: losses that are sought low, the report, and overlap."""

import dataclasses

import pytest

from tlbench import Examples
from tlbench.contracts.record import TestGroups
from tlbench.results.records.stored_predictions import read_predictions
from tlbench.results.stats import mean_score
from tlbench.testing.toys import ToyTask


def whole(record, metric):
    return [score.value for score in record.scores if score.metric == metric and score.slice is None]


def test_of_a_loss_the_least_is_sought(runs, monkeypatch):
    monkeypatch.setattr(ToyTask, "metrics", ("log_loss", "calibration_error", "roc_auc", "accuracy"))
    record = runs.one("toy-fit", trials=3, seeds=2)
    found = [trial.validation for trial in record.trials]
    assert len(set(found)) > 1
    assert record.validation == min(found)
    assert 0 < record.validation < 1
    answers = read_predictions(runs.store.predictions(record), with_scores=True)
    assert mean_score("log_loss", answers) == pytest.approx(sum(whole(record, "log_loss")) / 2, abs=1e-9)
    assert all(0.5 < value <= 1 for value in whole(record, "roc_auc"))
    constant = runs.one("toy-majority")
    assert min(whole(constant, "log_loss")) > max(whole(record, "log_loss"))
    assert whole(constant, "roc_auc") == [0.5]


def test_a_record_says_what_is_found_and_what_is_confused(runs):
    record = runs.one("toy-fit", seeds=2)
    report = record.report
    test = list(ToyTask().split("test"))
    assert [row.name for row in report.classes] == list(report.names) == list(ToyTask().output.names)
    assert [row.support for row in report.classes] == [
        sum(example.target == index for example in test) for index in range(len(report.names))
    ]
    right = sum(count for true, said, count in report.confusion if true == said)
    assert sum(count for _, _, count in report.confusion) == 2 * len(test)
    assert right / (2 * len(test)) == pytest.approx(sum(whole(record, "accuracy")) / 2)
    assert runs.one("toy-fit", tasks=["toy-count"]).report.classes == ()


def test_groups_are_stored_and_resampled_whole(runs, monkeypatch):
    alone = runs.one("toy-majority")
    real = ToyTask.split

    def grouped(self, name):
        rows = real(self, name)
        return rows and Examples(
            dataclasses.replace(row, group=f"{row.target}-{i % 16 // 8}") for i, row in enumerate(rows)
        )

    monkeypatch.setattr(ToyTask, "split", grouped)
    monkeypatch.setattr(ToyTask, "group", "tone and\nhalf")
    record = runs.one("toy-majority", fresh="all")
    assert len(set(read_predictions(runs.store.predictions(record)).groups.tolist())) == 4
    assert (record.test_groups, alone.test_groups) == (TestGroups(4, "tone and half"), None)
    # The predictions do not depend on groups, so the test data count as the same.
    assert record.provenance.data["test"] == alone.provenance.data["test"]
    assert whole(record, "accuracy") == whole(alone, "accuracy")
    width, of_examples = (
        next(score.high - score.low for score in one.scores if score.metric == "accuracy" and score.slice is None)
        for one in (record, alone)
    )
    # The constant answer is right in all of a group or in none.
    assert width > 2 * of_examples


def test_a_test_split_that_was_seen_in_training_is_noted(runs, monkeypatch):
    assert runs.one("toy-majority").overlap == {"train": 0, "validation": 0}
    real = ToyTask.split

    def leaking(self, name):
        rows = list(real(self, name))
        if name != "test":
            return Examples(rows)
        seen = [*list(real(self, "train"))[:3], *list(real(self, "validation"))[:2]]
        return Examples([*rows[5:], *(dataclasses.replace(row, id=f"leaked-{i}") for i, row in enumerate(seen))])

    monkeypatch.setattr(ToyTask, "split", leaking)
    assert runs.one("toy-majority", fresh="all").overlap == {"train": 3, "validation": 2}
