"""Settings that a search proposes twice are fitted once."""

import pytest

from tlbench.cli.app import _main
from tlbench.contracts.record import PAID


@pytest.mark.parametrize("strategy", ["six", "six-together"])
@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_each_setting_is_fitted_once_and_the_search_ends_with_the_space(counted, sampler, strategy):
    record = counted.one(strategy, trials=40, sampler=sampler)
    assert record.status == "ok"
    assert len(counted.made()) == 6 + (strategy == "six-together")  # a pass keeps no predictor for the final fit
    assert record.distinct_settings == 6 < len(record.trials) < 40
    assert record.ended_early
    own = [trial for trial in record.trials if trial.repeats is None]
    assert record.seconds.search == pytest.approx(sum(getattr(trial, field) for trial in own for field in PAID))
    assert [trial.trial for trial in own][:1] == [0]
    assert {trial.fit_seconds for trial in record.trials if trial.repeats is not None} == {0.0}


def test_a_longer_search_takes_over_each_setting_once(counted):
    counted.one("six", trials=4, sampler="random")
    counted.made()
    record = counted.one("six", trials=40, sampler="random")
    made = counted.made()
    assert len(made) + sum(trial.taken_over for trial in record.trials) == 6
    again = counted.one("six", trials=39, sampler="random")
    assert counted.made() == []
    assert [(t.trial, t.params, t.repeats) for t in again.trials] == [
        (t.trial, t.params, t.repeats) for t in record.trials
    ]


def test_a_batch_whose_trials_were_partly_reused_is_still_ordered(counted):
    """With a lag of one batch, a reused trial within the batch must not let the search wait for itself."""
    counted.one("together", trials=2, seeds=(0,))
    record = counted.one("together", trials=20, seeds=(0,))
    assert record.status == "ok"
    assert len(record.trials) == 20


@pytest.mark.parametrize("trials", [40, 4])
def test_a_run_and_show_say_how_many_settings_differ(counted, capsys, trials):
    names = ["-t", "toy-tone", "-b", "toy", "-S", "six", "--trials", str(trials), "--sampler", "random"]
    assert _main(["run", *names, "--device", "cpu", "--executor", "inline", "--out", str(counted.folder)]) == 0
    record = next(iter(counted.store.records(print)))
    end = ", which are all settings of the space" if trials == 40 else ""
    text = f"{len(record.trials)} trials, {record.distinct_settings} distinct{end}"
    assert text in capsys.readouterr().err
    assert _main(["show", record.cell.id, "--out", str(counted.folder)]) == 0
    assert text in " ".join(capsys.readouterr().out.split())
