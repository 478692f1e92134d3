"""What an earlier version wrote is read as it was meant: records, ids, plans and suites of commit 5da2336.

`written_by_5da2336/` has files that its code wrote, and what its code made of them. They are never written again; a
release adds a folder of its own.
"""

import json
import shutil
from pathlib import Path

import msgspec
import pytest

from tlbench.catalog.catalog import Catalog
from tlbench.cli.app import _main
from tlbench.contracts.cell import Cell, Plan, Protocol
from tlbench.contracts.record import FORMAT, Record
from tlbench.planning.plan import plan
from tlbench.planning.suite import read_suite
from tlbench.results.records.record_files import read_record

EARLIER = Path(__file__).parent / "written_by_5da2336"
RECORDS = sorted((EARLIER / "records").glob("*.json"))
IDENTITIES = json.loads((EARLIER / "identities.json").read_bytes())
PLANS = json.loads((EARLIER / "plans.json").read_bytes())


def test_ids_are_what_they_were():
    assert len(IDENTITIES) > 15
    for known in IDENTITIES:
        cell = msgspec.convert(known["cell"], Cell)
        found = (cell.id, cell.fits_id, cell.search_id, cell.fit_id(known["params"], cell.protocol.seeds[0]))
        assert found == (known["id"], known["fits_id"], known["search_id"], known["fit_id"]), cell.title


def test_records_are_read_with_every_value_that_they_had():
    assert FORMAT == 1
    assert len(RECORDS) == 4
    for path in RECORDS:
        record = read_record(path)
        assert isinstance(record, Record), record.message
        now = json.loads(msgspec.json.encode(record))
        assert _contains(now, json.loads(path.read_bytes())), path.name


def _contains(now, earlier):
    """Whether a value has all that an earlier one had; fields may have been added."""
    if isinstance(earlier, dict):
        return earlier.keys() <= now.keys() and all(_contains(now[key], value) for key, value in earlier.items())
    if isinstance(earlier, list):
        return len(now) == len(earlier) and all(map(_contains, now, earlier))
    return now == earlier


def test_a_folder_of_results_is_shown_and_its_cells_are_not_run_again(tmp_path, capsys):
    for name in ("records", "tlbench.json", "plan.json"):
        source = EARLIER / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    assert msgspec.json.decode((EARLIER / "plan.json").read_bytes(), type=Plan).cells
    assert _main(["leaderboard", "--all", "--out", str(tmp_path), "-f", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    shown = json.dumps(rows)
    for path in RECORDS:
        assert path.name.split(".")[0] in shown
        assert _main(["show", path.name.split(".")[0], "--out", str(tmp_path), "-f", "json"]) == 0
        capsys.readouterr()


@pytest.mark.parametrize("suite", PLANS)
def test_suites_plan_the_same_cells(suite):
    planned = plan(read_suite(EARLIER / "suites" / f"{suite}.toml"), Catalog.discover(), here=False)
    found = {cell.title: cell.protocol for cell in planned.cells}
    for title, protocol in PLANS[suite]:
        # Versions of tasks and strategies may have been raised since, but names and protocols mean what they meant.
        assert found[title] == msgspec.convert(protocol, Protocol), title


def test_the_default_of_a_field_that_is_newer_is_what_was_done_before():
    """An earlier record lacks newer fields; what they then say must be true of it."""
    for path in RECORDS:
        earlier, record = json.loads(path.read_bytes()), read_record(path)
        newer = set(Record.__struct_fields__) - earlier.keys()
        defaults = Record(record.cell, "ok")
        assert all(getattr(record, name) == getattr(defaults, name) for name in newer)
