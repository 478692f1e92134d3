"""`make leaderboards-run`: the list of tables, the bill, and a run of what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tlbench.catalog.catalog import Catalog
from tools.leaderboards.__main__ import main
from tools.leaderboards.bill import Item, bill, planned, text
from tools.leaderboards.tables import read_tables

ROOT = Path(__file__).resolve().parents[2]
SUITE = """
[protocol]
trials = {trials}
seeds = [0, 1]

[[cells]]
backbones = ["toy"]
tasks = ["toy-tone"]
strategies = {strategies}
"""


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A repository with two small tables, one of which reads data files."""
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin")
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    monkeypatch.delenv("TLBENCH_DATA", raising=False)
    (tmp_path / "leaderboards").mkdir()
    (tmp_path / "leaderboards" / "tables.toml").write_text(
        '[[table]]\nname = "one"\nsuite = "one.toml"\n\n'
        '[[table]]\nname = "two"\nsuite = "one.toml"\nneeds_data = true\n'
    )
    suite(tmp_path, 2, ["toy-fit", "toy-majority"])
    return tmp_path


def suite(checkout: Path, trials: int, strategies: list[str]) -> None:
    content = SUITE.format(trials=trials, strategies=str(strategies).replace("'", '"'))
    (checkout / "one.toml").write_text(content)


def items(checkout: Path) -> dict[str, Item]:
    tables = read_tables(checkout / "leaderboards" / "tables.toml")
    return {item.table: item for item in bill(tables, checkout, Catalog.discover())}


def test_every_committed_page_is_in_the_list():
    tables = read_tables(ROOT / "leaderboards" / "tables.toml")
    pages = {path.stem for path in (ROOT / "leaderboards").glob("*.md")} - {"README"}
    assert pages <= {table.name for table in tables}
    folders = {path.parent.name for path in (ROOT / "leaderboards").glob("*/tlbench.json")}
    assert folders <= {table.name for table in tables}


@pytest.mark.parametrize("table", read_tables(ROOT / "leaderboards" / "tables.toml"), ids=lambda table: table.name)
def test_every_table_has_a_suite(table):
    assert planned(table, ROOT, Catalog.discover()).suite


def test_what_is_missing_is_run_and_what_the_suite_no_longer_has_is_removed(checkout, capfd):
    before = items(checkout)["one"]
    assert (before.cells, before.missing, before.unknown) == (2, 2, 2)
    assert main(["--checkout", str(checkout), "--jobs", "1"]) == 0
    output = capfd.readouterr().out
    assert "tlbench run --suite one.toml --out leaderboards/one --jobs 1" in output
    assert "two: left out, since TLBENCH_DATA names no folder of data" in output
    page = (checkout / "leaderboards" / "one.md").read_text()
    assert "toy-fit" in page
    assert "toy-majority" in page
    after = items(checkout)
    assert (after["one"].missing, after["two"].missing) == (0, 2)
    assert after["one"].measured > 0
    assert after["two"].unknown == 0
    assert after["two"].estimated > 0
    # More trials are another cell: the old one goes, the new one is estimated from it, and the baseline stays.
    suite(checkout, 20, ["toy-fit"])
    grown = items(checkout)["one"]
    assert (grown.cells, grown.missing, grown.unknown) == (1, 1, 0)
    assert grown.estimated > 4 * after["two"].estimated / 2
    records = {path.stem for path in (checkout / "leaderboards" / "one" / "records").glob("*.json")}
    assert main(["--checkout", str(checkout), "--jobs", "1", "one"]) == 0
    assert "toy-majority" not in (checkout / "leaderboards" / "one.md").read_text()
    assert not records & {path.stem for path in (checkout / "leaderboards" / "one" / "records").glob("*.json")}


def test_the_bill_sums_what_is_left():
    lines = text([Item("a", 3, 2, 1, 4.25, 6.0, 1), Item("b", 5, 0, 0, 10.0, 0.0, 0)], workers=2).splitlines()
    assert lines[0].split("  ")[0] == "table"
    assert lines[1].split() == ["a", "3", "2", "1", "4.2", "6.0", "1"]
    assert lines[2].split() == ["b", "5", "0", "0", "10.0", "0.0"]
    assert lines[3] == "about 6 minutes of work left, 3 on 2 workers"


def test_an_unknown_table_is_one_line(checkout, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["--checkout", str(checkout), "three"])
    assert "three: not in" in capsys.readouterr().err


def test_two_tables_of_one_name_are_refused(tmp_path):
    file = tmp_path / "tables.toml"
    file.write_text('[[table]]\nname = "a"\nsuite = "b"\n' * 2)
    with pytest.raises(ValueError, match="two tables have one name"):
        read_tables(file)
