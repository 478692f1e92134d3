"""Predictions of the wrong type, length or range are named with their example, and never scored as something else."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tlbench import Classes, Diverged, MultiLabel, PluginError, Predictions, Scalar, TokenClasses
from tlbench.metrics import METRICS
from tlbench.metrics.scored import Scored, checked, objects
from tlbench.metrics.scored_arrays import scored_of
from tlbench.results.records.stored_predictions import read_predictions

CLASSES, LABELS, TAGS = Classes(("a", "b", "c")), MultiLabel(("a", "b")), TokenClasses(("O", "B-X"))


def predictions_of(values):
    array = values if isinstance(values, np.ndarray) else objects(values)
    return Predictions(tuple(f"e{i}" for i in range(len(array))), array, None)


def whole(*values):
    return np.array(values)


WRONG = (
    (CLASSES, [0, 1], whole(0.0, 0.5), "e1: the prediction 0.5 is not a whole number"),
    (CLASSES, [0, 1], whole(True, False), "e0: the prediction True is not a whole number but of type bool"),
    (CLASSES, [0, 1], whole("a", "b"), "e0: the prediction a is not a whole number but of type <U1"),
    (CLASSES, [0, 1], objects(["a", 1]), "e0: the prediction 'a' is not a whole number but of type object"),
    (CLASSES, [0, 1], whole(0, 10**12), "e1: the prediction 1000000000000 is none of the 3 classes, 0 to 2"),
    (CLASSES, [0, 1], whole(0, 1e30), r"e1: the prediction 1e\+30 is not a whole number"),
    (CLASSES, [0, 1], whole(3, 0), "e0: the prediction 3 is none of the 3 classes"),
    (CLASSES, [0, 1], whole(0, -1), "e1: the prediction -1 is none of the 3 classes"),
    (CLASSES, [0, 1], whole(0, 1j), "is not a whole number but of type complex128"),
    (CLASSES, [0, 1, 2], whole(0, 1), "2 predictions for 3 examples"),
    (Scalar(), [0.5], whole("1.5"), "e0: the prediction 1.5 is not a number but of type"),
    (LABELS, [(0, 1)], np.array([[0.5, 1.0]]), r"e0: the prediction \[0.5, 1.0\] is not a row of 0 and 1"),
    (LABELS, [(0, 1)], np.array([[2, 1]]), r"e0: the prediction \[2, 1\] is not a row of 0 and 1"),
    (TAGS, [(0, 1)], [(0, 0.5)], "e0: the prediction 0.5 is not the index of one of 2 tags"),
    (TAGS, [(0, 1)], [(0, True)], "e0: the prediction True is not the index of one of 2 tags"),
    (TAGS, [(0, 1)], [(0, -1)], "e0: the prediction -1 is not the index of one of 2 tags"),
    (TAGS, [(0, 1)], [(0, 10**12)], "e0: the prediction 1000000000000 is not the index of one of 2 tags"),
    (TAGS, [(0, 1)], [(0, "O")], "e0: the prediction 'O' is not the index of one of 2 tags"),
)


@pytest.mark.parametrize(("output", "targets", "values", "message"), WRONG)
def test_a_prediction_of_the_wrong_type_is_named(output, targets, values, message):
    with pytest.raises(PluginError, match=message) as caught:
        scored_of(output, targets, predictions_of(values))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("output", [CLASSES, Scalar()])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_prediction_that_is_not_finite_has_diverged(output, value):
    with pytest.raises(Diverged, match="not finite"):
        scored_of(output, [0, 1], predictions_of(whole(0.0, value)))


def test_whole_numbers_of_any_type_are_classes_and_comparisons_are_labels():
    for kind in (np.int8, np.uint64, np.float32):
        assert scored_of(CLASSES, [0, 2], predictions_of(np.array([0, 2], kind))).values.tolist() == [0, 2]
    assert scored_of(LABELS, [(0, 1)], predictions_of(np.array([[True, False]]))).values.tolist() == [[1, 0]]


@pytest.mark.parametrize("values", [[0, 10**12], [0, -1], [0, 2**40]])
@pytest.mark.parametrize("name", ["accuracy", "f1_macro", "log_loss"])
def test_stored_classes_that_no_task_has_are_not_scored(tmp_path, name, values):
    """In a file from elsewhere, whose number of classes nothing says."""
    table = pa.table({"seed": [0, 0], "id": ["a", "b"], "target": [0, 1], "value": values})
    pq.write_table(table, tmp_path / "p.parquet")
    stored = read_predictions(tmp_path / "p.parquet")
    with pytest.raises(ValueError, match=r"scores the indices of at most 1,048,576 classes, not "):
        checked(METRICS[name], Scored(stored.targets, stored.values[0]))
