"""A plugin's metric that fails is named, and costs no more than its own scores."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.metrics import faulty_metrics
from tests.running.conftest import Runs
from tlbench.cli.app import _main
from tlbench.cli.board.board_choice import BoardChoice
from tlbench.cli.leaderboard import print_board

FINITE = "return finite numbers, or say by `worst` what an undefined score counts as"


@pytest.fixture
def runs(tmp_path, monkeypatch):
    # Workers find the plugin there as well: the folder that tests are run in is not on their path.
    folders = [str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, folders)))
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin,tests.metrics.faulty_metrics")
    return Runs(tmp_path / "out")


@pytest.mark.parametrize(
    ("task", "executor", "reason"),
    [
        ("by-undefined", "inline", f"test split, seed 0: the metric undefined gave nan: {FINITE}"),
        ("by-undefined", "isolated", f"test split, seed 0: the metric undefined gave nan: {FINITE}"),
        ("by-raising", "inline", "test split, seed 0: the metric raising raised ZeroDivisionError: no such class"),
        (
            "by-undefined_everywhere",
            "inline",
            f"validation split: the metric undefined_everywhere gave nan: {FINITE}",
        ),
        ("by-exiting", "inline", "validation split: the metric exiting raised SystemExit: 3"),
    ],
)
def test_a_primary_metric_that_fails_fails_the_cell_in_its_own_name(runs, task, executor, reason):
    record = runs.one("toy-majority", executor=executor, tasks=[task])
    assert record.status == "failed", "what is wrong is neither the fit nor the worker"
    assert record.reason.removeprefix("seed 0: ") == f"PluginError: {reason}"
    assert runs.store.record(record.cell.id) == record


def test_other_metrics_are_kept_where_a_secondary_one_fails(runs, capsys):
    record = runs.one("toy-majority", tasks=["by-hits-undefined-raising-exiting"], seeds=2)
    assert record.status == "ok"
    whole = [(score.metric, score.seed) for score in record.scores if score.slice is None]
    assert whole == [("hits", 0), ("hits", 1)]
    on_slices = {(score.metric, score.slice) for score in record.scores if score.slice}
    both = ("size=few", "size=many")
    assert on_slices == {(metric, part) for metric in ("hits", "undefined", "raising") for part in both}
    assert record.reason.startswith(
        f"left out: undefined (test split, seed 0: the metric undefined gave nan: {FINITE}), raising (test split"
    )
    assert record.reason.endswith(", and 2 more"), "the one that exits fails on the whole and on both slices"
    _main(["show", record.cell.id, "--out", str(runs.folder)])
    assert "left out: undefined (test split" in " ".join(capsys.readouterr().out.split())


def test_a_slice_on_which_the_primary_metric_fails_is_left_out(runs):
    record = runs.one("toy-majority", tasks=["by-undefined_on_few-hits"])
    assert record.status == "ok"
    found = {(score.metric, score.slice) for score in record.scores}
    assert ("undefined_on_few", "size=few") not in found
    assert {("undefined_on_few", None), ("undefined_on_few", "size=many"), ("hits", "size=few")} <= found
    assert "slice size=few of the test split, seed 0: the metric undefined_on_few gave inf" in record.reason


@pytest.mark.parametrize("fault", [ZeroDivisionError("no classes"), SystemExit(2), None])
def test_a_metric_that_fails_later_leaves_its_task_ranked_by_intervals(runs, capsys, monkeypatch, fault):
    runs.run(["toy-tune", "toy-majority"], tasks=["by-hits-undefined-raising-exiting"], trials=2, seeds=2)

    def failing(self, scored):
        if fault:
            raise fault
        return [1.0] * len(scored)

    monkeypatch.setattr(faulty_metrics.Hits, "statistics", failing)
    print_board(runs.folder, None, BoardChoice(), True, "csv")
    shown = capsys.readouterr()
    assert set(pd.read_csv(io.StringIO(shown.out))["ranked_by"]) == {"intervals"}
    (line,) = shown.err.splitlines()
    assert "by-hits-undefined-raising-exiting: the metric hits cannot be computed from stored predictions" in line
    assert ("statistics of list" if fault is None else type(fault).__name__) in line


def test_a_metric_that_fails_in_resamples_alone_leaves_its_task_ranked_by_intervals(runs, capsys, monkeypatch):
    runs.run(["toy-tune", "toy-majority"], tasks=["by-hits-undefined-raising-exiting"], trials=2, seeds=2)
    value = faulty_metrics.Hits.value

    def failing(self, sums):
        if len(sums) > 1:
            sys.exit(4)
        return value(self, sums)

    monkeypatch.setattr(faulty_metrics.Hits, "value", failing)
    print_board(runs.folder, None, BoardChoice(), True, "csv")
    shown = capsys.readouterr()
    assert set(pd.read_csv(io.StringIO(shown.out))["ranked_by"]) == {"intervals"}
    assert "the metric hits raised SystemExit: 4" in shown.err
