"""Tests of search budgets and their notes."""

from __future__ import annotations

import msgspec

from tlbench.results.selection.search_budget import budget_notes, search_budget


def searched(made, trials, **changes):
    record = made.record(made.cell(trials=max(trials, 1)), made.answers(n=20), trials=trials, best_params={"lr": 0.1})
    return msgspec.structs.replace(record, **changes)


def test_a_budget_is_what_a_search_was_allowed(made):
    assert search_budget(searched(made, 16)) == 16
    assert search_budget(searched(made, 0)) == 1
    # A used-up space and a time limit leave it as it is.
    full = searched(made, 16)
    assert search_budget(msgspec.structs.replace(full, trials=full.trials[:6])) == 16
    assert search_budget(msgspec.structs.replace(full, trials=full.trials[:1], trials_planned=16)) == 16
    # Trials of one setting are no search.
    assert search_budget(msgspec.structs.replace(full, trials=(full.trials[0], full.trials[0]))) == 1


def test_nothing_to_search_is_no_budget(made):
    assert search_budget(searched(made, 0, best_params={})) is None
    assert search_budget(searched(made, 16, status="failed")) is None


def test_rows_are_compared_with_the_others_of_their_task():
    tasks = ["a", "a", "a", "a", "b", "b"]
    assert budget_notes(tasks, [16, 16, 1, None, 1, 1]) == [
        "",
        "",
        "not searched, where other rows of the task had 16 trials",
        "",
        "",
        "",
    ]
    assert (
        budget_notes(["a"] * 3, [1, 1, 16])[2]
        == "searched over 16 trials, where other rows of the task had one setting"
    )
    assert budget_notes(["a"] * 2, [64, 16])[1] == "searched over 16 trials, where other rows of the task had 64 trials"
