"""Metrics of which less is better, or that are not a share of 1, in tables; and the sentence on overlap."""

import io

import msgspec
import pytest
from rich.console import Console

from tests.results.render.test_page import csv, leaderboard, markdown, standings
from tlbench.contracts.record import TestScore
from tlbench.results.columns import COLUMNS, rows_of, with_metrics
from tlbench.results.leaderboard import frame
from tlbench.results.over_tasks import summary
from tlbench.results.records.summaries import summaries_of


def text_of(renderable, width=160):
    console = Console(file=io.StringIO(), width=width)
    console.print(renderable)
    return console.file.getvalue()


@pytest.fixture
def record(made):
    def make(strategy, value, metric="log_loss", task="some-task", **changes):
        scores = [TestScore(metric, seed, value + 0.01 * seed, value - 0.05, value + 0.06, 500) for seed in (0, 1)]
        scores += [TestScore("accuracy", seed, 0.8, 0.7, 0.9, 500) for seed in (0, 1)]
        plain = made.record(made.cell(task, strategy), None, (metric, "accuracy"))
        return msgspec.structs.replace(plain, scores=tuple(scores), **changes)

    return make


def baseline(record):
    """Returns the record as one of a strategy without a backbone."""
    return msgspec.structs.replace(record, cell=msgspec.structs.replace(record.cell, backbone=None))


@pytest.fixture
def losses(record):
    return frame([record("full-finetune", 0.25), record("from-scratch", 0.75), record("linear-probe", 0.5)])


def test_the_least_loss_stands_first_and_gains(losses):
    rows = rows_of(losses)
    assert [row["strategy"] for row in rows] == ["full-finetune", "linear-probe", "from-scratch"]
    assert [row["rank"] for row in rows] == [1, 2, 3]
    assert [row["gain"] for row in rows] == [pytest.approx(0.5), pytest.approx(0.25), None]


def test_a_loss_is_shown_in_its_own_unit(losses):
    page = markdown(losses)
    assert "log loss (lower is better), 500 test examples." in page
    assert "**0.255** | 0.200\u20130.310 | 0.007 | +0.500 | 80.0" in page
    assert "log loss: no share of 1, so score, interval, ± and gain are in its own unit." in page
    assert "0.255" in text_of(leaderboard(losses))
    assert "*0.255" in text_of(standings(losses))
    assert '"metric.log_loss"' in csv(losses).partition("\n")[0]


def test_a_calibration_error_is_in_points_and_less_is_better(record):
    table = frame([record("a", 0.25, "calibration_error"), record("b", 0.05, "calibration_error")])
    page = markdown(table)
    assert [row["strategy"] for row in rows_of(table)] == ["b", "a"]
    assert "calibration error (lower is better)" in page
    assert "**5.5**" in page


def test_a_loss_without_a_floor_is_in_no_mean(record):
    records = [record("a", 0.9, "f1_macro", "one"), record("a", 3.0, "log_loss", "two"), record("b", 3.0)]
    means = {row["strategy"]: row["mean"] for row in rows_of(summary(frame(records)))}
    assert means == {"a": pytest.approx(0.905), "b": None}
    assert "some-task, two: not in the mean, since metric or floor gives no such scale." in markdown(frame(records))
    floors = [baseline(record("majority", 4.0, task=task)) for task in ("some-task", "two")]
    means = {row["strategy"]: row["mean"] for row in rows_of(summary(frame([*records, *floors])))}
    assert means["a"] == pytest.approx((0.905 + 1 - 3.005 / 4.005) / 2)
    assert means["b"] == pytest.approx(1 - 3.005 / 4.005)


def test_what_failed_counts_as_the_floor_though_it_names_no_metric(record):
    def failed(strategy, task):
        return msgspec.structs.replace(record(strategy, 0.5, task=task), status="failed", metrics=(), scores=())

    table = frame([
        record("a", 0.9, "f1_macro", "one"), record("b", 0.9, "f1_macro", "one"),
        record("a", 3.0, "log_loss", "two"), failed("b", "two"),
        record("a", 0.9, "roc_auc", "three"), failed("b", "three"),
    ])  # fmt: skip
    means = {row["strategy"]: row["mean"] for row in rows_of(summary(table))}
    # The floor of ROC AUC is 0.5, its worst value.
    assert means == {"a": pytest.approx((0.905 + 0.81) / 2), "b": pytest.approx(0.905 / 2)}


@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        ({"one": None}, "on which 0 is the worst value of the task's metric, and 100"),
        (
            {"one": "majority"},
            "on which 0 is the best score of majority on the task, or the metric's worst value where",
        ),
        (
            {"one": "majority", "two": "word-majority"},
            "on which 0 is the best score of majority or word-majority on the task, and 100",
        ),
    ],
)
def test_the_legend_says_what_the_floor_is(record, tasks, said):
    records = [record("a", 0.9, "f1_macro", task) for task in ("one", "two")]
    for task, name in tasks.items():
        records.append(baseline(record(name or "b", 0.4, "f1_macro", task)))
    assert said in markdown(frame(records))


def test_columns_are_those_of_the_metrics_that_there_are(record):
    table = frame([record("a", 0.5, "rougeL"), record("b", 0.5, "matthews")])
    assert list(table.columns) == list(with_metrics(["rougeL", "matthews"]))
    rows = {row["strategy"]: row for row in rows_of(table)}
    assert (rows["a"]["metric.rougeL"], rows["a"]["metric.matthews"], rows["a"]["metric.f1"]) == (
        pytest.approx(0.505),
        None,
        None,
    )
    assert rows["b"]["metric.matthews"] == pytest.approx(0.505)
    assert list(with_metrics([])) == list(COLUMNS)


def test_names_of_metrics_are_kept_once(record):
    summaries = summaries_of([record(f"s{i}", 0.5) for i in range(20)])
    assert list(summaries.metrics.values()) == [("accuracy", "log_loss")]
    assert summaries.scores("log_loss", summaries.cells[:2]) == [pytest.approx(0.505)] * 2
    assert summaries.scores("bleu", summaries.cells[:2]) == [None, None]
    kept = summaries.subset(summaries.cells[:0])
    kept.prune()
    assert (kept.metrics, kept.provenances, kept.settings) == ({}, {}, {})


@pytest.mark.parametrize(
    ("found", "noted"), [({}, False), ({"train": 0, "validation": 0}, False), ({"train": 1499, "validation": 1}, True)]
)
def test_overlap_is_noted_under_the_table(record, found, noted):
    table = frame([record("a", 0.5, overlap=found), record("b", 0.6)])
    sentence = "1,500 of 500 test examples show exactly what an example of train or validation shows"
    assert (sentence in markdown(table)) is noted
    assert ("overlap: 1,500 of 500" in text_of(leaderboard(table))) is noted
    assert rows_of(table)[0]["overlap"] == (sum(found.values()) if found else None)
