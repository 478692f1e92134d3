"""Cells whose search space has conditions."""

import pytest

from tlbench.contracts.errors import UsageError


def test_a_trial_has_only_the_params_that_exist(runs):
    record = runs.one("toy-rule", trials=8, sampler="random")
    assert record.status == "ok"
    assert record.trials[0].params == {"rule": "majority"}  # the defaults
    for trial in record.trials:
        assert ("guess" in trial.params) == (trial.params["rule"] == "guess")
    # There is one setting with the rule `majority`, however often it was drawn.
    assert len([trial for trial in record.trials if trial.repeats is None and "guess" not in trial.params]) == 1


def test_without_a_search_the_defaults_are_fitted_and_a_suite_chooses_the_branch(runs):
    assert runs.one("toy-rule").best_params == {"rule": "majority"}
    fixed = runs.one("toy-rule", space={"toy-rule": {"rule": "guess", "guess": 0.0}}, trials=4)
    assert (fixed.best_params, fixed.trials) == ({"rule": "guess", "guess": 0.0}, ())
    with pytest.raises(UsageError, match=r"space\.toy-rule\.guess: it exists only where rule is guess"):
        runs.plan(["toy-rule"], space={"toy-rule": {"rule": "majority", "guess": 0.0}})
