"""A strategy that changed without a new version: no search mixes trials of two of its forms."""

import pytest

from tlbench import Choice, Int, UsageError
from tlbench.cli.app import _main
from tlbench.running.run import Settings

SPACES = {
    "changed": ({"lr": Choice((0.01, 0.5)), "steps": Int(4, 5)}, r"its search space \(lr\) changed"),
    "more": (
        {"lr": Choice((0.01, 0.02, 0.1)), "steps": Int(4, 5), "x": Int(1, 2)},
        r"its search space \(x\) changed",
    ),
    "other kind": ({"lr": Choice((0.01, 0.02, 0.1)), "steps": Choice((4, 5))}, r"its search space \(steps\) changed"),
}


@pytest.fixture
def interrupted(counted, monkeypatch):
    """Runs of which one ended within the search of the strategy `six`."""
    with monkeypatch.context() as patched:

        def killed(self):
            raise KeyboardInterrupt

        patched.setattr("tlbench.running.cells.cell_search.CellSearch.winner", killed)
        with pytest.raises(KeyboardInterrupt):
            counted.one("six", trials=3, sampler="random")
    counted.made()
    return counted


def change_space(runs, monkeypatch, space):
    monkeypatch.setattr(type(runs.catalog.strategy("six").item), "space", lambda self, about: space)


def change_code(monkeypatch):
    monkeypatch.setattr("tlbench.catalog.catalog.code_fingerprint", lambda class_, packages: "another")


@pytest.mark.parametrize("change", SPACES)
def test_a_search_whose_space_changed_does_not_go_on(interrupted, monkeypatch, change):
    space, text = SPACES[change]
    change_space(interrupted, monkeypatch, space)
    with pytest.raises(UsageError, match=f"^six: {text} after .* its version is still 1: increase its `version`"):
        interrupted.one("six", trials=3, sampler="random")
    assert interrupted.made() == []


@pytest.mark.parametrize("fresh", ["stale", "all"])
def test_fresh_starts_a_changed_search_over(interrupted, monkeypatch, fresh):
    change_code(monkeypatch)
    with pytest.raises(UsageError, match="six: its source changed"):
        interrupted.one("six", trials=3, sampler="random", fresh="failed")
    record = interrupted.one("six", trials=3, sampler="random", fresh=fresh)
    assert record.status == "ok"
    assert len(interrupted.made()) == record.distinct_settings
    assert record.provenance.code == {"six": "another"}
    assert record.also_made_with == ()


def test_a_search_of_the_same_strategy_goes_on(interrupted):
    assert interrupted.one("six", trials=3, sampler="random").status == "ok"
    assert len(interrupted.made()) <= 1, "the winner's predictor may be lost with its process"


def test_a_cell_that_another_process_left_meanwhile_fails_rather_than_mix(interrupted, monkeypatch):
    monkeypatch.setattr("tlbench.running.run.change_since", lambda *args: "")
    change_code(monkeypatch)
    record = interrupted.one("six", trials=3, sampler="random")
    assert record.status == "failed"
    assert record.reason.startswith("six: its source changed after the search of cell")
    assert interrupted.made() == []


def test_fits_of_other_code_are_not_reused_by_another_cell(counted, monkeypatch):
    counted.one("six", trials=3, sampler="random")
    counted.made()
    change_code(monkeypatch)
    record = counted.one("six", trials=4, sampler="random")
    assert len(counted.made()) == record.distinct_settings
    assert not any(fit.taken_over for fit in (*record.trials, *record.fits))


def test_finished_cells_of_other_code_are_named_and_stale(counted, monkeypatch, capsys):
    record = counted.one("six", trials=2)
    assert list(record.provenance.code) == ["six"]
    planned = counted.plan(["six"], trials=2)
    assert counted.attempts(planned, Settings("inline", 1, "cpu", "stale")) == []
    change_code(monkeypatch)
    assert len(counted.attempts(planned, Settings("inline", 1, "cpu", "stale"))) == 1
    names = ["-t", "toy-tone", "-b", "toy", "-S", "six", "--trials", "2", "--device", "cpu", "--executor", "inline"]
    assert _main(["run", *names, "--out", str(counted.folder)]) == 0
    assert (
        "six: its source has changed since 1 finished cell of this run: increase its `version`, or run them again with"
        " --fresh stale" in capsys.readouterr().err
    )
    assert _main(["show", record.cell.id, "--out", str(counted.folder)]) == 0
    assert "the source of six has changed since" in capsys.readouterr().out


def test_rows_of_other_code_are_marked(counted, monkeypatch, capsys):
    counted.one("six", trials=2)
    change_code(monkeypatch)
    counted.one("six", trials=2, tasks=["toy-count"])
    assert _main(["leaderboard", "--all", "--format", "csv", "--out", str(counted.folder)]) == 0
    assert "other code of six" in capsys.readouterr().out
