"""Tests of what `tlbench show <cell>` says of a search."""

from __future__ import annotations

import json

import msgspec

from tests.results.selection.test_optimism import record
from tlbench.cli.recorded.selection_facts import record_json, selection_facts
from tlbench.contracts.record import FitResult
from tlbench.metrics import METRICS


def searched(sampler="tpe", count=5):
    one = record([0.84, 0.80, 0.81], [0.80, 0.79, 0.78])
    trials = tuple(FitResult({"lr": n}, 0, "search", n, "ok", validation=0.5 + n / 100) for n in range(count))
    protocol = msgspec.structs.replace(one.cell.protocol, trials=count, sampler=sampler)
    return msgspec.structs.replace(one, trials=trials, cell=msgspec.structs.replace(one.cell, protocol=protocol))


def test_optimism_and_the_expected_best_are_shown():
    facts = dict(selection_facts(searched(), METRICS))
    assert facts["optimism"].startswith("+0.0500 [")
    assert facts["optimism"].endswith("interval over test examples and seeds, not over validation examples")
    assert facts["expected best"].startswith(
        "validation 0.5200 after 1, 0.5300 after 2, 0.5380 after 4, 0.5400 after 5"
    )
    assert "trials of tpe are not independent" in facts["expected best"]
    assert "independent" not in dict(selection_facts(searched("random"), METRICS))["expected best"]


def test_a_cell_without_scores_or_search_says_less():
    assert selection_facts(record([0.8], [0.7], scores=(), status="oom"), METRICS) == []
    assert [label for label, _ in selection_facts(record([0.8], [0.7]), METRICS)] == ["optimism"]
    # A plugin's metric that is not installed: which score is better is unknown.
    assert [label for label, _ in selection_facts(searched(), {})] == ["optimism"]


def test_json_has_every_number_of_trials_and_no_character_that_a_terminal_obeys():
    content = json.loads(record_json(searched(), METRICS))
    assert [one["trials"] for one in content["expected_best"]] == [1, 2, 3, 4, 5]
    assert content["optimism"]["low"] < content["optimism"]["value"] < content["optimism"]["high"]
    assert content["optimism"]["counts"] == ["test examples", "seeds"]
    assert content["trials_are_independent"] is False
    odd = msgspec.structs.replace(searched(), best_params={"\x1b[2J": "\u202e"})
    assert record_json(odd, METRICS).isascii()
    assert "\x1b" not in record_json(odd, METRICS)
