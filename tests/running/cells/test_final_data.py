"""Whole cells with folds, and with winners that are fitted on train and validation."""

import pytest

from tlbench.contracts.cell import Protocol
from tlbench.results.leaderboard import frame

# With two jobs on two cores each fit has one thread, which is quicker for toys.
PROTOCOLS = {"folds": {"folds": 3, "jobs": 2}, "final": {"final": "train+validation", "jobs": 2}}


@pytest.mark.parametrize("kind", PROTOCOLS)
def test_a_cell_is_searched_and_its_winner_fitted_on_train_and_validation(counted, kind):
    record = counted.one("counting", trials=3, seeds=2, **PROTOCOLS[kind])
    fits = 3 * (3 if kind == "folds" else 1)
    assert counted.made() == [0] * fits + [0, 1], "the winner is fitted again at the seed of the search too"
    assert record.status == "ok"
    assert len(record.trials) == 3
    assert record.validation == max(trial.validation for trial in record.trials)
    assert [(fit.seed, fit.validation) for fit in record.fits] == [(0, None), (1, None)]
    both = 64 + 32
    assert {trial.validation_examples for trial in record.trials} == {both if kind == "folds" else 32}
    assert {fit.validation_examples for fit in record.fits} == {0}
    assert {trial.train_examples for trial in record.trials} == {64}
    assert record.train_examples == both
    steps = record.best_params["steps"]
    assert {fit.examples_seen for fit in record.fits} == {both * steps}
    assert record.test_reads == 3
    # Recorded once, and shown.
    assert counted.one("counting", trials=3, seeds=2, **PROTOCOLS[kind]) == record
    assert counted.made() == []
    table = frame([record])
    assert table["final"].tolist() == ["train+validation"]


@pytest.mark.parametrize("kind", PROTOCOLS)
def test_one_setting_has_a_validation_score_too(counted, kind):
    record = counted.one("counting", space={"counting": {"lr": 0.01, "steps": 4}}, trials=5, **PROTOCOLS[kind])
    assert len(counted.made()) == (4 if kind == "folds" else 2)
    assert len(record.trials) == 1
    assert record.validation == record.trials[0].validation is not None


def test_a_search_is_shared_with_the_cell_whose_winner_is_fitted_on_train(counted, essence):
    plain = counted.one("counting", trials=3, seeds=2, jobs=2)
    assert len(counted.made()) == 4
    both = counted.one("counting", trials=3, seeds=2, **PROTOCOLS["final"])
    assert counted.made() == [0, 1], "the trials are reused, and no final fit"
    assert [trial.taken_over for trial in both.trials] == [True] * 3
    assert not any(fit.taken_over for fit in both.fits)
    assert both.validation == plain.validation
    assert both.best_params == plain.best_params
    assert counted.one("counting", trials=3, seeds=3, **PROTOCOLS["final"]).status == "ok"
    assert counted.made() == [2], "final fits are reused by cells with the same training examples"
    variants = frame([plain, both])["variant"].tolist()
    assert sorted(variants) == ['final="train"', 'final="train+validation"']


def test_a_one_setting_cell_gives_its_fit_to_the_search_of_the_other(counted):
    space = {"counting": {"lr": 0.01, "steps": 4}}
    plain = counted.one("counting", space=space, jobs=2)
    assert counted.made() == [0]
    both = counted.one("counting", space=space, **PROTOCOLS["final"])
    assert counted.made() == [0]
    assert both.trials[0].taken_over
    assert both.validation == plain.validation
    # And not the other way round: a final fit on train and validation is no fit of a search.
    counted.one("counting", space=space, fresh="all", **PROTOCOLS["final"])
    counted.made()
    assert counted.one("counting", space=space, fresh="all", jobs=2).validation == plain.validation


@pytest.mark.parametrize("kind", PROTOCOLS)
def test_a_killed_cell_goes_on_with_the_same_results(counted, essence, monkeypatch, kind, tmp_path):
    from tlbench.running.fitting import worker

    whole = counted.one("counting", trials=3, seeds=2, **PROTOCOLS[kind])
    counted.made()
    counted.folder = tmp_path / "killed"
    run, calls = worker.run_fits_or_folds, []

    def killed(fits, context, purpose, stop_below):
        calls.append(purpose)
        if len(calls) in {2, 5}:
            raise KeyboardInterrupt
        return run(fits, context, purpose, stop_below)

    with monkeypatch.context() as patched:
        patched.setattr(worker, "run_fits_or_folds", killed)
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                counted.one("counting", trials=3, seeds=2, **PROTOCOLS[kind])
    resumed = counted.one("counting", trials=3, seeds=2, **PROTOCOLS[kind])
    # The first trial, the two others, and the final fits, of which none was repeated.
    assert calls == ["search", "search", "search", "search", "final"]
    assert essence(resumed) == essence(whole)
    assert counted.made() == [0] * 3 * (3 if kind == "folds" else 1) + [0, 1]


def test_fused_trials_and_final_fits_are_passes_over_each_fold(counted):
    record = counted.one("together", trials=4, seeds=2, **PROTOCOLS["folds"])
    assert record.status == "ok"
    assert counted.made() == [0] * 12 + [0, 1]
    assert record.cell.protocol == Protocol(trials=4, seeds=(0, 1), folds=3, final="train+validation")


def test_the_words_of_plan_and_show(counted, capsys):
    from tlbench.cli.app import _main
    from tlbench.cli.plan import protocol_text

    text = protocol_text(Protocol(trials=4, seeds=(0, 1), folds=5, final="train+validation"))
    assert text == "4 trials (tpe), 5 folds, winner on train and validation, 2 seeds, 22 fits a cell"
    grid = Protocol(trials=4, sampler="grid", folds=5, final="train+validation")
    assert [protocol_text(Protocol(epochs=count)).split(", ")[-1] for count in (1, 0.5, 3)] == [
        "1 epoch", "0.5 epochs", "3 epochs"
    ]  # fmt: skip
    assert protocol_text(grid).endswith("1 seed, up to 21 fits a cell")
    assert "fits a cell" not in protocol_text(Protocol(trials=4))
    record = counted.one("toy-majority", **PROTOCOLS["folds"])
    assert _main(["show", record.cell.id, "--out", str(counted.folder)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "winner on train and validation" in shown
    assert "(predictions of 3 folds together)" in shown
    assert _main(["leaderboard", "--out", str(counted.folder)]) == 0
    page = " ".join(capsys.readouterr().out.split())
    assert "The winners were fitted on train and validation together" in page
    assert "validation with folds: the predictions of 3 folds" in page


def test_the_command_line_takes_both_options(counted, capsys, tmp_path):
    from tlbench.cli.app import _main

    cell = ["--task", "toy-tone", "--strategy", "toy-majority", "--out", str(tmp_path / "none")]
    assert _main(["plan", *cell, "--folds", "5"]) == 0
    assert "5 folds, winner on train and validation, 1 seed, 6 fits a cell" in " ".join(capsys.readouterr().out.split())
    assert _main(["plan", *cell, "--final", "train+validation"]) == 0
    assert "not searched, winner on train and validation" in " ".join(capsys.readouterr().out.split())
    for options, message in (
        (["--folds", "5", "--final", "train"], "set final to train+validation"),
        (["--folds", "5", "--pruner", "median"], "choose pruner or folds"),
        (["--final", "train+validation", "--train-limit", "9"], "leave one out"),
    ):
        assert _main(["plan", *cell, *options]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert message in line
