"""The image suites of the plugin."""

from __future__ import annotations

import pytest
from tlbench_timm.plugin import tlbench_suites

from tlbench.planning.suite import read_suite

SUITES = {path.stem: path for path in tlbench_suites()}


@pytest.mark.parametrize("name", ["cifar10-1pct", "hymenoptera"])
def test_a_suite_reads_and_has_a_floor_for_each_task(name):
    suite = read_suite(SUITES[name])
    assert suite.name == name
    assert "TLBENCH_DATA" in suite.description
    tasks = {task for block in suite.cells for task in block.tasks}
    for floor in ("majority", "colour-histogram"):
        assert tasks == {task for block in suite.cells for task in block.tasks if floor in block.strategies}
