"""The suites that come with the plugin."""

from __future__ import annotations

import pytest
from tlbench_data.plugin import tlbench_suites, tlbench_tasks

from tlbench.planning.suite import read_suite

SUITES = {path.stem: path for path in tlbench_suites()}
BASELINES = ("majority", "lead")


def test_they_are_there():
    assert set(SUITES) >= {"text", "imdb", "ner", "qa", "seq2seq"}


@pytest.mark.parametrize("name", SUITES)
def test_a_suite_reads_and_has_a_baseline_for_every_task(name):
    suite = read_suite(SUITES[name])
    tasks = {task.name for task in tlbench_tasks()}
    named = {task.partition("[")[0] for block in suite.cells for task in block.tasks}
    assert suite.name == name
    assert suite.description
    assert named <= tasks
    assert named == {task for block in suite.cells if set(block.strategies) & set(BASELINES) for task in block.tasks}


@pytest.mark.parametrize(("baseline", "suites"), [("tfidf", {"text", "imdb"}), ("word-majority", {"ner"})])
def test_a_baseline_stands_where_majority_does(baseline, suites):
    blocks = {name: [block.strategies for block in read_suite(SUITES[name]).cells] for name in SUITES}
    assert {name for name in SUITES if any(baseline in block for block in blocks[name])} == suites
    assert all(("majority" in block) == (baseline in block) for name in suites for block in blocks[name])


def test_a_subset_is_called_one():
    assert "not its official split" in read_suite(SUITES["imdb"]).description
    assert "Not SQuAD scores" in read_suite(SUITES["qa"]).description
