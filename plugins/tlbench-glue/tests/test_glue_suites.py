"""The suites that come with the plugin."""

from __future__ import annotations

import pytest
from tlbench_glue.plugin import tlbench_suites, tlbench_tasks

from tlbench.planning.suite import read_suite

SUITES = {path.stem: path for path in tlbench_suites()}
LITE = {task.name for task in tlbench_tasks() if task.name.endswith("-lite")}
SMALL = {"cola", "sst2", "mrpc", "rte", "stsb"}


def test_there_are_three():
    assert set(SUITES) == {"glue", "glue-lite", "glue-lite-full"}


@pytest.mark.parametrize(("name", "tasks"), [("glue", SMALL), ("glue-lite", LITE), ("glue-lite-full", LITE)])
def test_a_suite_reads_and_covers_its_tasks(name, tasks):
    suite = read_suite(SUITES[name])
    assert suite.name == name
    for block in suite.cells:
        assert set(block.tasks) <= tasks
    assert {task for block in suite.cells for task in block.tasks if "majority" in block.strategies} == tasks


def test_what_is_not_glue_says_so():
    for name, path in SUITES.items():
        description = read_suite(path).description.lower()
        assert ("not glue scores" in description) == (name != "glue")
    assert "official dev set" in read_suite(SUITES["glue"]).description
