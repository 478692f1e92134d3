"""Metrics of plugins are used for search, scores, intervals, ranks and tables like tlbench's own."""

from __future__ import annotations

import io

import pandas as pd
import pytest
from rich.console import Console

from tests.metrics.third_party import Cost, WithinHalf
from tests.running.conftest import Runs
from tlbench.catalog.catalog import Catalog
from tlbench.cli.board.board_choice import BoardChoice
from tlbench.cli.leaderboard import print_board
from tlbench.contracts.errors import UnknownName
from tlbench.metrics import METRICS
from tlbench.testing.conformance import MetricConformance


class TestWithinHalf(MetricConformance):
    metric = WithinHalf()


class TestCost(MetricConformance):
    metric = Cost()


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin,tests.metrics.third_party")
    return Runs(tmp_path / "out")


def test_a_catalog_has_them_beside_tlbench_s_own(runs):
    # Installed plugins have metrics too.
    assert {*runs.catalog.metrics} >= {*METRICS, "cost", "within_half"}
    assert runs.catalog.metric("cost").euros == 2.5
    with pytest.raises(UnknownName, match="unknown metric 'costs'; did you mean cost"):
        runs.catalog.metric("costs")


def test_a_search_takes_the_setting_that_costs_least(runs):
    record = runs.one("toy-guess", tasks=["priced-tone"], trials=8, seeds=2)
    assert record.metrics == ("cost", "accuracy")
    costs = [trial.validation for trial in record.trials]
    assert len(set(costs)) > 1, "nothing to choose from"
    assert record.validation == min(costs)
    for score in record.scores:
        assert score.low <= score.value <= score.high


def test_a_leaderboard_ranks_and_shows_them(runs, capsys, monkeypatch):
    runs.run(["toy-tune", "toy-majority"], tasks=["priced-tone"], trials=4, seeds=2)
    print_board(runs.folder, None, BoardChoice(), True, "csv")
    table = pd.read_csv(io.StringIO(capsys.readouterr().out))
    assert list(table["value"]) == sorted(table["value"]), "less is better"
    assert list(table["metric.cost"]) == pytest.approx(list(table["value"]))
    assert set(table["ranked_by"]) == {"paired test"}
    assert not table["greater_is_better"].any()
    monkeypatch.setattr("rich.console.Console", lambda: Console(width=140))
    print_board(runs.folder, None, BoardChoice(), True, "terminal")
    shown = capsys.readouterr().out
    assert "cost (lower is better)" in shown
    assert "cost: no share of 1" in shown
    assert f"{table['value'].iloc[0]:.3f}" in shown


def test_a_record_whose_plugin_is_gone_is_shown_without_a_rank(runs, capsys, monkeypatch):
    runs.run(["toy-majority"], tasks=["priced-tone"])
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin")
    print_board(runs.folder, None, BoardChoice(), True, "csv")
    table = pd.read_csv(io.StringIO(capsys.readouterr().out))
    assert table["rank"].isna().all()
    assert table["metric_label"].tolist() == ["unknown metric"]


def test_a_metric_with_the_name_of_another_is_reported(monkeypatch):
    monkeypatch.setenv("TLBENCH_PLUGINS", "tests.metrics.third_party,tests.metrics.third_party_again")
    catalog = Catalog.discover()
    with pytest.raises(Exception, match="named 'cost'"):
        catalog.metric("cost")
    assert "cost" not in catalog.metrics
    assert any(
        "'accuracy' (Accuracy) has the name of one of tlbench's own" in broken.reason for broken in catalog.broken
    )
    assert catalog.metric("accuracy") is METRICS["accuracy"]
