"""The suites that come with the plugin."""

from __future__ import annotations

import pytest
from tlbench_glue.plugin import tlbench_suites, tlbench_tasks

from tlbench.planning.suite import read_suite

SUITES = {path.stem: path for path in tlbench_suites()}


def test_there_are_two():
    assert set(SUITES) == {"glue-lite", "glue-lite-full"}


@pytest.mark.parametrize("name", SUITES)
def test_a_suite_reads_and_covers_every_task(name):
    suite = read_suite(SUITES[name])
    tasks = {task.name for task in tlbench_tasks()}
    assert suite.name == name
    assert "not glue scores" in suite.description.lower()
    for block in suite.cells:
        assert set(block.tasks) <= tasks
    assert {task for block in suite.cells for task in block.tasks if "majority" in block.strategies} == tasks
