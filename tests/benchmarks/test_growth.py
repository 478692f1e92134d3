"""What `benchmarks/growth` measures is what it says, and what it writes is the same for the same times."""

import math

import pytest

from benchmarks.growth import folders, report
from tlbench.catalog.catalog import Catalog
from tlbench.catalog.discovery import Plugin
from tlbench.cli import leaderboard as board
from tlbench.cli.board.board_choice import BoardChoice
from tlbench.planning.plan import plan
from tlbench.planning.suite import read_suite
from tlbench.results.index import MIN_RECORDS, NAME
from tlbench.results.records.store import Store
from tlbench.testing import toy_plugin

MACHINE = {"processor": "<toy>", "cores": "2", "python": "3.11.7", "date": "2026-01-01"}


def point(size, seconds):
    return {"size": size, "seconds": [seconds, 2 * seconds], "cpu_seconds": [seconds], "peak_bytes": 10**8}


@pytest.mark.parametrize("size", [10, 100, 1_000, 10_000, 100_000])
def test_a_shape_makes_just_as_many_cells(size):
    assert math.prod(folders.shape(size)) == size


def test_a_suite_has_as_many_cells_as_it_should(tmp_path):
    catalog = Catalog.discover([Plugin("toys", "1.0", "toys", toy_plugin)])
    if "partial-finetune" not in {entry.name for entry in catalog.entries("strategy")}:
        pytest.skip("tlbench-finetune is not installed")
    folders.write_suite(tmp_path / "grown.toml", 100)
    planned = plan(read_suite(tmp_path / "grown.toml"), catalog)
    assert (len(planned.cells), planned.skips) == (100, ())


def test_a_folder_is_one_that_a_leaderboard_reads_and_indexes(tmp_path, capsys):
    root = tmp_path / "out"
    folders.make_folder(root, MIN_RECORDS, predicted=1.0)
    assert len(list(Store.open(root).records(pytest.fail))) == MIN_RECORDS
    board.print_board(root, None, BoardChoice(), False, "csv")
    table = capsys.readouterr().out
    assert table.count("\n") == MIN_RECORDS + 1
    assert "paired test" in table
    assert (root / NAME).exists()
    folders.forget_index(root)
    assert not (root / NAME).exists()


def test_a_target_that_is_missed_is_said_to_be(tmp_path):
    curves = {
        "plan": {"machine": MACHINE, "rounds": 2, "points": [point(10, 0.5), point(100_000, 2.0)]},
        "leaderboard, first": {"machine": MACHINE, "rounds": 2, "points": [point(100, 1.0), point(100_000, 4.0)]},
    }
    report.write(tmp_path, curves)
    page, picture = ((tmp_path / name).read_text() for name in ("growth.md", "growth.svg"))
    assert "| 100,000 | 3.00 | 2.00 | 4.00 | 2.00 | 100 | 3 s: met |" in page
    assert "| 100,000 | 6.00 | 4.00 | 8.00 | 4.00 | 100 | 5 s: missed |" in page
    assert picture.count("<circle") == 4
    report.write(tmp_path, curves)
    assert ((tmp_path / "growth.md").read_text(), (tmp_path / "growth.svg").read_text()) == (page, picture)
