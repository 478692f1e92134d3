"""The short form of the simulation of ranks and intervals."""

from __future__ import annotations

import json

import pytest

from benchmarks.ranks.__main__ import main
from benchmarks.ranks.pieces import all_pieces
from benchmarks.ranks.tables import Setting, draw, true_score

QUICK = "accuracy-K2-n200-S10-sd2-d0"


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranks")
    assert main(["--share", "0.02", "--only", QUICK, "--out", str(folder)]) == 0
    return folder


def test_rates_and_coverage_are_within_the_bounds_of_few_draws(simulated):
    results = json.loads((simulated / "ranks.json").read_text())
    equal = {name: one for name, one in results.items() if name.endswith("-d0") and "-K2-" in name}
    assert {name.split("-")[3] for name in equal} == {"S3", "S5", "S10"}
    for one in equal.values():
        assert one["draws"] == 200
        # The exact 99.99% intervals of 5% and 95% in 200 draws.
        assert 1 <= one["tests"]["tlbench"]["any"] <= 25
        assert one["covered"] >= 175


def test_what_is_known_is_not_simulated_again(simulated, capsys):
    before = (simulated / "ranks.json").stat().st_mtime_ns
    assert main(["--share", "0.01", "--only", QUICK, "--out", str(simulated)]) == 0
    assert (simulated / "ranks.json").stat().st_mtime_ns == before
    page = (simulated / "ranks.md").read_text()
    assert "3 of 552 settings." in page
    assert "| metric | K | S | n=200 sd=2 |" in page


def test_every_setting_of_the_grid_is_in_one_piece():
    names = [one.name for piece in all_pieces() for one in piece.settings()]
    assert len(names) == len(set(names))
    grid = [name for name in names if "steady" not in name and "accuracy97" not in name]
    assert len(grid) == 2 * 3 * 3 * 3 * 3 * 3


@pytest.mark.parametrize("metric", ["accuracy", "f1", "pearson"])
def test_drawn_scores_have_the_mean_and_the_spread_that_they_should(metric):
    import numpy as np

    from tlbench.metrics.resampling import score

    setting = Setting(metric, 2, 3000, 60, 4, planted=2.0, steady="half")
    scores = np.array([[score(metric, one) for one in seeds] for seeds in draw(setting, np.random.default_rng(0))])
    for row, spread in zip(scores, setting.spreads(), strict=True):
        assert abs(row.std(ddof=1) - spread / 100) < 0.014
    assert true_score(setting, 0) - true_score(setting, 1) == pytest.approx(0.02)
    assert scores.mean(axis=1) == pytest.approx([true_score(setting, 0), true_score(setting, 1)], abs=0.02)
