"""A record is committed once and whole, or not at all; earlier records stay as they were."""

import errno
import math
import os
import shutil
import subprocess
import sys

import msgspec
import pytest

from tlbench.contracts.cell import Cell, Plan, Protocol, Ref
from tlbench.contracts.errors import StoreError
from tlbench.contracts.record import FORMAT, Record, Seconds, TestScore
from tlbench.results.records.store import Store
from tlbench.system.integrity.sealed_json import digest_of

CELL = Cell(Ref("task"), Ref("strategy"), Protocol(), Ref("backbone"))


def cell(n):
    return msgspec.structs.replace(CELL, protocol=Protocol(trials=n + 1))


@pytest.fixture
def work(tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "predictions.parquet").write_bytes(b"answers")
    return folder


def test_a_record_comes_back_as_it_was(store, work):
    record = Record(CELL, "ok", reason="ünïcode | [red]", predictions="predictions.parquet")
    assert store.commit(record, work)
    found = store.record(CELL.id)
    assert msgspec.structs.replace(found, predictions=record.predictions, digests={}) == record
    assert found.digests == {f"{CELL.id}.1.parquet": digest_of(b"answers")}
    assert store.predictions(found).read_bytes() == b"answers"
    assert list(store.records()) == [found]


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    ("what", "where"),
    [
        (lambda number: {"validation": number}, "validation is"),
        (lambda number: {"seconds": Seconds(fit=number)}, "seconds.fit is"),
        (lambda number: {"scores": (TestScore("cost", 0, 1.0, number, 2.0, 5),)}, r"scores\[0\].low is"),
    ],
)
def test_a_number_that_is_not_finite_is_refused_and_named(store, work, what, where, number):
    record = Record(CELL, "ok", predictions="predictions.parquet", **what(number))
    with pytest.raises(StoreError, match=f"could not store .*: {where} {number}"):
        store.commit(record, work)
    assert not store.listing()
    assert store.commit(Record(CELL, "ok"), work)


def test_of_two_commits_the_first_counts(store, work):
    assert store.commit(Record(CELL, "ok", reason="first"), work)
    assert not store.commit(Record(CELL, "ok", reason="second"), work)
    assert store.record(CELL.id).reason == "first"


def test_the_newest_attempt_counts(store, work):
    for attempt in (1, 2, 10):
        store.commit(Record(CELL, "ok", attempt=attempt), work)
    assert store.record(CELL.id).attempt == 10
    assert [record.attempt for record in store.records()] == [10]


def test_many_writers_commit_each_record_once(tmp_path):
    Store.create(tmp_path / "out")
    code = """
import sys, pathlib
from tests_cell import cell
from tlbench.contracts.record import Record
from tlbench.results.records.store import Store
store = Store.open(pathlib.Path(sys.argv[1]))
print(sum(store.commit(Record(cell(n), "ok", reason=sys.argv[2]), pathlib.Path(".")) for n in range(60)))
"""
    (tmp_path / "tests_cell.py").write_text(
        "from tlbench.contracts.cell import *\n"
        "def cell(n):\n    return Cell(Ref('t'), Ref('s'), Protocol(trials=n + 1))\n"
    )
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "out"), str(i)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
        )
        for i in range(3)
    ]
    wins = [int(writer.communicate()[0]) for writer in writers]
    assert all(writer.returncode == 0 for writer in writers)
    assert sum(wins) == 60
    assert len(list(Store.open(tmp_path / "out").records())) == 60


def full_disk(monkeypatch, after):
    """Makes `os.write` write a part and then raise ENOSPC, as a full disk does."""
    written = 0
    real = os.write

    def write(handle, content):
        nonlocal written
        if written >= after:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written += (size := real(handle, bytes(content)[: after - written]))
        return size

    monkeypatch.setattr("tlbench.system.durable.os.write", write)


def test_a_full_disk_leaves_earlier_records_intact(store, work, monkeypatch):
    store.commit(Record(cell(0), "ok"), work)
    before = (store.root / "records" / f"{cell(0).id}.1.json").read_bytes()
    with monkeypatch.context() as patched:
        full_disk(patched, after=20)
        with pytest.raises(StoreError, match="No space left"):
            store.commit(Record(cell(1), "ok"), work)
    assert (store.root / "records" / f"{cell(0).id}.1.json").read_bytes() == before
    assert [record.cell for record in store.records()] == [cell(0)]
    assert not [path for path in (store.root / "records").iterdir() if path.suffix == ".tmp"]
    assert store.commit(Record(cell(1), "ok"), work)


def test_a_file_that_is_no_record_is_named_and_left_out(store, work):
    store.commit(Record(cell(0), "ok"), work)
    records = store.root / "records"
    (records / f"{'0' * 16}.1.json").write_text("{")
    (records / f"{'1' * 16}.1.json").write_bytes((records / f"{cell(0).id}.1.json").read_bytes())
    (records / "notes.json").write_text("mine")
    complaints = []
    assert [record.cell for record in store.records(complaints.append)] == [cell(0)]
    assert [complaint.path.name[0] for complaint in complaints] == ["0", "1"]
    assert "another cell" in complaints[1].reason


def test_predictions_stay_within_the_folder(store, work):
    store.commit(Record(CELL, "ok"), work)
    assert store.predictions(Record(CELL, "ok", predictions="../../secret.parquet")) is None


def test_a_folder_of_another_format_is_refused(tmp_path):
    Store.create(tmp_path / "out")
    (tmp_path / "out" / "tlbench.json").write_text(f'{{"format":{FORMAT + 1}}}')
    for use in (Store.open, Store.create):
        with pytest.raises(StoreError, match=f"results of format {FORMAT + 1}; this tlbench reads {FORMAT}"):
            use(tmp_path / "out")


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(StoreError, match="not a folder of tlbench results"):
        Store.create(tmp_path)
    with pytest.raises(StoreError, match="no results here yet"):
        Store.open(tmp_path)


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="cannot be written"):
        Store.create(tmp_path / "file" / "out")


def test_keeps_the_plan(store):
    assert store.plan() is None
    plan = Plan("suite", (CELL,))
    store.save_plan(plan)
    assert store.plan() == plan


def test_a_second_commit_after_the_first_was_tidied_returns_false(store, work):
    record = Record(CELL, "ok", predictions="predictions.parquet")
    assert store.commit(record, work)
    store.tidy(work)
    assert not (work / "predictions.parquet").exists()
    assert not store.commit(record, work)


@pytest.mark.parametrize("link", ["work", "work/0123456789abcdef.1", "work/0123456789abcdef.1/began"])
def test_nothing_is_written_through_links_of_a_folder_that_was_sent(tmp_path, link):
    store, elsewhere = Store.create(tmp_path / "out"), tmp_path / "elsewhere"
    elsewhere.mkdir()
    place = store.root / link
    if place.is_dir():
        shutil.rmtree(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(elsewhere)
    with pytest.raises(StoreError, match="is a link"):
        store.work("0123456789abcdef", 1)


def test_predictions_from_elsewhere_are_not_taken_in(store, work, tmp_path):
    private = tmp_path / "private"
    private.write_text("a key")
    with pytest.raises(StoreError, match="not in this folder"):
        store.commit(Record(CELL, "ok", predictions=str(private)), work)
    assert not list(store.root.glob("records/*"))


def test_an_attempt_of_any_number_costs_no_more_than_its_file(store, work):
    assert store.commit(Record(CELL, "ok"), work)
    (store.root / "records" / f"{CELL.id}.999999999.json").write_text("{}")
    assert store.record(CELL.id).attempt == 1


@pytest.fixture
def validated(work):
    """A record with validation predictions, whose files are in `work`."""
    (work / "validation.parquet").write_bytes(b"validation answers")
    return Record(CELL, "ok", predictions="predictions.parquet", validation_predictions="validation.parquet")


def test_validation_predictions_stand_beside_those_of_test(store, work, validated):
    assert store.commit(validated, work)
    found = store.record(CELL.id)
    assert found.validation_predictions == f"{CELL.id}.1.validation.parquet"
    assert store.validation_predictions(CELL.id, 1).read_bytes() == b"validation answers"
    assert store.predictions(found).read_bytes() == b"answers"
    assert store.validation_predictions(CELL.id, 2) is None


def test_a_record_is_stored_without_validation_predictions_that_are_gone(store, work, validated):
    # Those of an earlier record of this attempt, which was deleted.
    (store.root / "records" / f"{CELL.id}.1.validation.parquet").write_bytes(b"earlier")
    (work / "validation.parquet").unlink()
    assert store.commit(validated, work)
    found = store.record(CELL.id)
    assert found.validation_predictions is None
    assert found.no_validation_predictions == "they were gone from the cell's folder when the record was stored"
    assert store.validation_predictions(CELL.id, 1) is None


def test_validation_predictions_of_a_deleted_record_are_replaced(store, work, validated):
    (store.root / "records" / f"{CELL.id}.1.validation.parquet").write_bytes(b"earlier")
    assert store.commit(validated, work)
    assert store.validation_predictions(CELL.id, 1).read_bytes() == b"validation answers"


def test_validation_predictions_from_elsewhere_are_not_taken_in(store, work, validated, tmp_path):
    (tmp_path / "secret").write_bytes(b"secret")
    record = msgspec.structs.replace(validated, validation_predictions="../secret")
    with pytest.raises(StoreError, match="predictions are not in this folder"):
        store.commit(record, work)
    assert not [name for name in store.listing() if name.endswith(".json")]
