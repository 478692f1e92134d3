"""The suites that come with the plugin."""

from __future__ import annotations

import pytest
from tlbench_glue.plugin import tlbench_suites, tlbench_tasks

from tlbench.catalog.catalog import Catalog
from tlbench.planning.plan import plan
from tlbench.planning.suite import read_suite

SUITES = {path.stem: path for path in tlbench_suites()}
LITE = {task.name for task in tlbench_tasks() if task.name.endswith("-lite")}
SMALL = {"cola", "sst2", "mrpc", "rte", "stsb"}


def test_there_are_four():
    assert set(SUITES) == {"glue", "glue-lite", "glue-lite-full", "reproductions"}


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
        assert ("not glue scores" in description) == (name not in {"glue", "reproductions"})
    assert "official dev set" in read_suite(SUITES["glue"]).description


def test_every_published_score_is_beside_a_cell_of_its_setting():
    suite = read_suite(SUITES["reproductions"])
    planned = plan(suite, Catalog.discover(), here=False)
    cells = {cell.id: cell for cell in planned.cells}
    repeating = [cells[one.cell] for one in planned.references]
    assert len(repeating) == len(suite.references) == 6
    assert {(cell.title, cell.protocol.shots, len(cell.protocol.seeds)) for cell in repeating} == {
        ("minilm-l6 | banking77 | linear-probe", 8, 10),
        ("minilm-l6 | stsb | cosine", None, 1),
        ("minilm-l6 | ag-news-8k | setfit", 8, 10),
    }
