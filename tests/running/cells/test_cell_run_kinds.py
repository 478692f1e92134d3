"""Cells of multi-label and span tasks, from search to record."""

import pandas as pd
import pytest


@pytest.mark.parametrize(
    ("task", "metrics"),
    [("toy-labels", {"f1_micro"}), ("toy-names", {"entity_f1"}), ("toy-span", {"answer_f1", "exact_match"})],
)
def test_every_kind_is_searched_fitted_and_scored(runs, task, metrics):
    record = runs.one("toy-tune", tasks=[f"{task}[train=48,validation=16,test=16]"], trials=2, seeds=2)
    assert record.status == "ok", record.reason
    whole = [score for score in record.scores if score.slice is None]
    assert {score.metric for score in whole} == metrics
    assert len(whole) == 2 * len(metrics)
    assert all(0 <= score.low <= score.value <= score.high <= 1 and score.n == 16 for score in whole)
    table = pd.read_parquet(runs.store.predictions(record))
    test = runs.catalog.task(f"{task}[train=48,validation=16,test=16]").item.split("test")
    assert list(table["id"]) == [example.id for example in test] * 2
    for value, example in zip(table["value"], [*test, *test], strict=True):
        if task == "toy-span":
            assert value in example.inputs[1]
        else:
            assert len(value) == len(example.target)
