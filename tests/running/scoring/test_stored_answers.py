"""Stored answers that cannot be scored say why, down to the record of their cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pytest

from tests.running.conftest import Runs
from tlbench import hookimpl
from tlbench.contracts.errors import PluginError
from tlbench.contracts.fits.task_info import TaskInfo
from tlbench.contracts.metric import Metric
from tlbench.contracts.outputs import Classes
from tlbench.contracts.task import Example, Examples
from tlbench.metrics import METRICS
from tlbench.metrics.scored import Scored
from tlbench.metrics.scored_arrays import usual_arrays
from tlbench.running.scoring.scores import UnusablePredictions, predictions_table, usable_predictions
from tlbench.testing.toys import ToyTask

EXAMPLES = Examples(Example(f"e{i}", (f"text {i}",), i % 2) for i in range(4))
SCORED = Scored(np.array([0, 1, 0, 1]), np.array([0, 1, 1, 1]))
INFO = TaskInfo("made", Classes(("no", "yes")), ("accuracy",))
ACCURACY = [METRICS["accuracy"]]


@dataclass(frozen=True)
class Copying(Classes):
    """Gives answers as targets."""

    def arrays(self, targets, predictions):
        _, said = usual_arrays(self, targets, predictions)
        return said, said


class Refusing(Metric):
    name, label, outputs, citation = "refusing", "refusing", (Classes, Copying), "It scores nothing."

    def statistics(self, scored):
        raise PluginError("no score\ntoday")


@dataclass(frozen=True)
class CopyingTask(ToyTask):
    name: str = "copying"
    output: Classes = Copying(("negative", "positive"))


@hookimpl
def tlbench_tasks():
    return [CopyingTask()]


def test_a_plugin_s_metric_that_fails_is_no_fault_of_the_predictions():
    assert usable_predictions(predictions_table(0, EXAMPLES, SCORED), EXAMPLES, INFO, [Refusing()]) is not None


def test_what_can_be_scored_is_read_back():
    read = usable_predictions(predictions_table(0, EXAMPLES, SCORED), EXAMPLES, INFO, ACCURACY)
    assert (read.targets.tolist(), read.values.tolist()) == ([0, 1, 0, 1], [0, 1, 1, 1])


def others(**columns):
    return pa.table({**predictions_table(0, EXAMPLES, SCORED).to_pydict(), **columns})


@pytest.mark.parametrize(
    ("table", "metrics", "reason"),
    [
        (None, ACCURACY, "its file of predictions is missing, or cannot be read"),
        (pa.table({"id": ["e0"]}), ACCURACY, "its file holds no predictions: KeyError"),
        (others(id=["e0", "e1", "e2", "x"]), ACCURACY, "its file has answers to 4 examples, which are not the 4 of"),
        (others(target=[0, 0, 0, 1]), ACCURACY, "the target of e1 is 0 in its file and 1 in the test split: either"),
        (
            others(value=["a", "b", "c", "d"]),
            ACCURACY,
            "the metric accuracy: ValueError: accuracy does not score texts",
        ),
        (others(value=[0, 1, 5, 1]), [], r"Classes\.report: ValueError"),
    ],
)
def test_what_cannot_be_scored_says_why(table, metrics, reason):
    with pytest.raises(UnusablePredictions, match=reason):
        usable_predictions(table, EXAMPLES, INFO, metrics)


def test_the_record_of_its_cell_says_why(tmp_path, monkeypatch):
    monkeypatch.setenv("TLBENCH_PLUGINS", f"tlbench.testing.toy_plugin,{__name__}")
    (record,) = Runs(tmp_path / "out").run(["linear-probe"], tasks=["copying"], trials=1, seeds=1)
    assert record.status == "failed"
    assert "the answers of seed 0 cannot be scored: the target of" in record.reason
    assert "the targets that Copying.arrays gives depend on the answers" in record.reason
