"""The first table is built from the journal, not from records, and a damaged or outdated entry never changes it."""

import errno
import itertools
import math
import os
import shutil
import subprocess
import sys

import msgspec
import pytest

from tests.results.small import MOST, file_of, indexed_summaries, record, truth
from tlbench.contracts.cell import Plan
from tlbench.contracts.record import TestScore
from tlbench.results.index import NAME as INDEX
from tlbench.results.index import Index
from tlbench.results.records import journal
from tlbench.results.records.journal import NAME, Journal, read_journal, remove_journal
from tlbench.results.records.store import Store


def test_the_first_lines_are_those_of_the_records_and_none_is_read(store, kept, counted):
    found = Index(store).summaries(pytest.fail)
    assert counted == []
    assert found == truth(store)
    assert len(found.cells) == 3


def test_the_ids_of_the_plan_are_there_without_reading_it(store, monkeypatch):
    plan = Plan("grown", tuple(record(n).cell for n in range(3)))
    store.save_plan(plan)
    monkeypatch.setattr(Store, "plan", lambda self: pytest.fail("the plan is read"))
    assert Index(store).planned() == ("grown", [cell.id for cell in plan.cells])


def test_a_plan_that_was_changed_since_is_read(store):
    store.save_plan(Plan("first", (record(0).cell,)))
    (store.root / "plan.json").write_bytes(msgspec.json.encode(Plan("other", (record(1).cell,))))
    os.utime(store.root / "plan.json", ns=(0, 0))
    assert Index(store).planned() == ("other", [record(1).cell.id])


def test_the_entry_of_another_plan_does_not_hide_the_one_that_is_known(store, kept, monkeypatch):
    monkeypatch.setattr("tlbench.results.index.MIN_RECORDS", 1)
    store.save_plan(Plan("grown", (record(0).cell,)))
    index = Index(store)
    index.summaries(pytest.fail)
    index.save()
    Journal(store.root).add_plan(Plan("other", (record(1).cell,)), (1, 1))
    store.commit(record(3), store.root)
    monkeypatch.setattr(Store, "plan", lambda self: pytest.fail("the plan is read"))
    again = Index(store)
    again.summaries(pytest.fail)
    assert again.planned() == ("grown", [record(0).cell.id])


def test_the_same_plan_again_adds_nothing_and_stays_as_it_is(store):
    plan = Plan("grown", (record(0).cell,))
    store.save_plan(plan)
    path = store.root / "plan.json"
    os.utime(path, ns=(0, 0))
    size = (store.root / "work" / NAME).stat().st_size
    store.save_plan(plan)
    assert (path.stat().st_mtime_ns, (store.root / "work" / NAME).stat().st_size) == (0, size)
    store.save_plan(Plan("other", plan.cells))
    assert store.plan().suite == "other"


def test_a_kill_at_any_byte_of_an_entry_costs_reading_one_record(store, kept, counted):
    whole = kept.read_bytes()
    last = whole.rindex(b"\n")
    expected = truth(store)
    for length in range(last, len(whole)):
        kept.write_bytes(whole[:length])
        counted.clear()
        assert Index(store).summaries(pytest.fail) == expected
        assert counted == [file_of(store, 2).name]


def test_what_comes_after_an_entry_that_was_cut_short_is_found(store, kept, counted):
    whole = kept.read_bytes()
    last = whole.rindex(b"\n")
    for n, length in enumerate(range(last, len(whole), 50), start=3):
        kept.write_bytes(whole[:length])
        Store.open(store.root).commit(record(n), store.root)
        counted.clear()
        found = Index(store).summaries(pytest.fail)
        assert counted == [file_of(store, 2).name]
        assert found == truth(store)
        file_of(store, n).unlink()


def test_a_kill_before_the_entry_costs_reading_one_record(store, kept, counted, monkeypatch):
    def killed(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "add", killed)
        with pytest.raises(KeyboardInterrupt):
            store.commit(record(3), store.root)
    assert len(Index(store).summaries(pytest.fail).cells) == 4
    assert counted == [file_of(store, 3).name]


def test_any_byte_that_is_wrong_changes_nothing_that_is_shown(store, kept, counted):
    whole = kept.read_bytes()
    expected = truth(store)
    for place in range(0, len(whole), 3):
        kept.write_bytes(whole[:place] + bytes([whole[place] ^ 0x11]) + whole[place + 1 :])
        counted.clear()
        assert Index(store).summaries(pytest.fail) == expected
        assert counted


def test_two_drivers_at_once_lose_no_entry(tmp_path, store, counted):
    code = """
import sys, pathlib
from tlbench.contracts.cell import Cell, Protocol, Ref
from tlbench.contracts.record import Record
from tlbench.results.records.store import Store
store = Store.open(pathlib.Path(sys.argv[1]))
for n in range(80):
    # Every other cell is committed by both: only the one that wins adds its summary.
    name = f"s{n}" if n % 2 else f"s{n}-{sys.argv[2]}"
    store.commit(Record(Cell(Ref("t"), Ref(name), Protocol()), "failed", reason=sys.argv[2] * 100), store.root)
"""
    drivers = [subprocess.Popen([sys.executable, "-c", code, str(store.root), str(i)]) for i in range(2)]
    assert [driver.wait() for driver in drivers] == [0, 0]
    found = Index(store).summaries(pytest.fail)
    assert counted == []
    assert found == truth(store)
    assert len(found.cells) == 120
    assert len(read_journal(store.root, MOST).summaries.cells) == 120


def deleted(store):
    file_of(store, 1).unlink()


def replaced(store):
    file_of(store, 1).write_bytes(msgspec.json.encode(record(1, parameters=9)))
    os.utime(file_of(store, 1), ns=(1, 1))


def damaged(store):
    os.truncate(file_of(store, 1), 100)


def exchanged(store):
    shutil.copy2(file_of(store, 0), file_of(store, 1))


def copied_in(store):
    file_of(store, 7).write_bytes(msgspec.json.encode(record(7)))


def copied_from_a_folder_with_its_journal(store):
    other = Store.create(store.root.parent / "other")
    other.commit(record(1, parameters=99), other.root)
    shutil.copy(other.root / "work" / NAME, store.root / "work" / NAME)


def made_again(store):
    file_of(store, 1).unlink()
    store.commit(record(1, parameters=55), store.root)


def of_a_newer_attempt(store):
    store.commit(record(1, attempt=2, parameters=77), store.root)


def whose_newer_attempt_is_deleted(store):
    of_a_newer_attempt(store)
    store.record_path(record(1).cell.id, 2).unlink()


CHANGES = [deleted, replaced, damaged, exchanged, copied_in, copied_from_a_folder_with_its_journal, made_again,
           of_a_newer_attempt, whose_newer_attempt_is_deleted]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("is_indexed", [False, True])
def test_records_that_are_changed_by_hand_are_shown_as_they_are(store, kept, monkeypatch, change, is_indexed):
    monkeypatch.setattr("tlbench.results.index.MIN_RECORDS", 1)
    if is_indexed:
        first = Index(store)
        first.summaries(pytest.fail)
        first.save()
        assert not kept.exists()
    change(store)
    for _ in range(2):
        again = Index(store)
        assert again.summaries(lambda file: None).cells == truth(store).cells
        again.save()


def test_a_damaged_record_is_named_though_the_journal_knows_it(store, kept):
    damaged(store)
    bad = []
    Index(store).summaries(bad.append)
    assert [file.path for file in bad] == [file_of(store, 1)]


@pytest.mark.parametrize("error", [errno.EROFS, errno.EACCES, errno.ENOENT])
def test_where_no_journal_can_be_written_records_are_committed_all_the_same(store, counted, monkeypatch, error):
    def refused(*args):
        raise OSError(error, os.strerror(error))

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "_append", refused)
        assert store.commit(record(0), store.root)
        store.save_plan(Plan("grown", (record(0).cell,)))
    assert len(Index(store).summaries(pytest.fail).cells) == 1
    assert counted == [file_of(store, 0).name]


def test_a_disk_that_is_full_in_the_midst_of_an_entry_stops_nothing(store, kept, counted, monkeypatch):
    write = os.write
    with monkeypatch.context() as patched:
        patched.setattr(journal.os, "write", lambda handle, content: write(handle, content[:40] or content))
        assert store.commit(record(3), store.root)
    assert store.commit(record(4), store.root)
    assert len(Index(store).summaries(pytest.fail).cells) == 5
    assert counted == [file_of(store, 3).name]


def test_in_a_folder_that_cannot_be_written_the_journal_serves_each_time(store, kept, counted, monkeypatch):
    def refused(*args):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("tlbench.results.index.MIN_RECORDS", 1)
    monkeypatch.setattr("pathlib.Path.write_bytes", refused)
    for _ in range(2):
        index = Index(store)
        assert len(index.summaries(pytest.fail).cells) == 3
        index.save()
    assert counted == []
    assert not (store.root / INDEX).exists()


def test_the_journal_starts_anew_once_an_index_holds_its_entries(store, kept, counted, monkeypatch):
    monkeypatch.setattr("tlbench.results.index.MIN_RECORDS", 1)
    index = Index(store)
    store.commit(record(3), store.root)
    assert len(index.summaries(pytest.fail).cells) == 3
    index.save()
    assert not kept.exists()
    # The same writer says again what summaries share.
    store.commit(record(4), store.root)
    assert [summary.strategy for summary in read_journal(store.root, MOST).summaries.cells] == ["s04"]
    assert len(Index(store).summaries(pytest.fail).cells) == 5
    assert counted == [file_of(store, 3).name]


def test_an_entry_costs_the_same_bytes_however_many_there_are(store):
    path, sizes = store.root / "work" / NAME, [0]
    for n in range(40):
        store.commit(record(n), store.root)
        sizes.append(path.stat().st_size)
    grown = [after - before for before, after in itertools.pairwise(sizes)]
    # The first one says what all have in common.
    assert max(grown[1:]) < 0.8 * grown[0]
    assert max(grown[1:]) - min(grown[1:]) < 100


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_numbers_that_are_none_are_shown_as_the_record_has_them(store, number):
    store.commit(record(0), store.root)
    sent = record(1, scores=(TestScore("accuracy", 0, number, 0.1, 0.2, 5),))
    file_of(store, 1).write_bytes(msgspec.json.encode(sent))
    assert indexed_summaries(store) == truth(store).cells
    bad = []
    Index(store).summaries(bad.append)
    assert [file.path for file in bad] == [file_of(store, 1)]


def test_a_record_of_which_no_line_can_be_made_is_committed(store):
    scores = tuple(TestScore("accuracy", seed, 1e308, 0.1, 0.2, 5) for seed in (0, 1))
    assert store.commit(record(0, scores=scores), store.root)
    assert read_journal(store.root, MOST).summaries.cells == []


def test_a_folder_without_a_journal_is_none_the_worse(store, kept, counted):
    remove_journal(store.root)
    remove_journal(store.root)
    assert len(Index(store).summaries(pytest.fail).cells) == 3
    assert len(counted) == 3
