"""A journal that somebody else wrote, or put something else in its place, harms nothing and changes nothing."""

import os

import msgspec
import pytest

from tests.results.small import MOST, lines, record, truth
from tlbench.contracts.record import Provenance
from tlbench.results.index import Index
from tlbench.results.records import journal
from tlbench.results.records.journal import NAME, read_journal


def entries(lines, stamp):
    shared = journal._Shared(lines.settings, lines.made, lines.metrics)
    packed = map(msgspec.json.encode, [shared, *(journal._Committed(*stamp, line) for line in lines.rows)])
    return b"".join(b"\n" + journal._checksum(part) + part for part in packed)


def changed(row=0, **changes):
    def change(lines):
        lines.rows[row] = msgspec.structs.replace(lines.rows[row], **changes)

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: lines.settings.clear(),
        lambda lines: lines.made.clear(),
        lambda lines: lines.metrics.clear(),
        lambda lines: lines.made.update({key: Provenance(device="another") for key in lines.made}),
        lambda lines: lines.settings.update(dict.fromkeys(lines.settings)),
        lambda lines: lines.settings.update(
            {key: msgspec.structs.replace(setting, task_version=9) for key, setting in lines.settings.items()}
        ),
        lambda lines: lines.metrics.update(dict.fromkeys(lines.metrics, ("f1",))),
        changed(scores=(0.5, 0.6)),
        changed(value=None),
        changed(total_seconds=None),
        changed(trials=None),
        changed(attempt=0),
        changed(cell="../../0123456789ab"),
        changed(value="0.5"),
    ],
)
def test_entries_that_no_record_can_have_made_are_left_out(store, kept, counted, change):
    found = read_journal(store.root, MOST)
    (row, *_), (stamp, *_) = found.lines.rows, found.stamps
    lines = found.lines.of([row])
    change(lines)
    kept.write_bytes(entries(lines, stamp))
    found = Index(store).lines(pytest.fail)
    assert len(counted) == 3
    assert found == truth(store)


@pytest.mark.parametrize("packed", [b"", b"[]", b"{}", b"[" * 10**5, b'["plan",1,2,"x",[1]]', b'["plan",1,2]', b"\xff"])
def test_what_is_no_entry_is_left_out(store, kept, packed):
    kept.write_bytes(kept.read_bytes() + b"\n" + journal._checksum(packed) + packed)
    assert len(read_journal(store.root, MOST).lines.rows) == 3


def test_entries_of_other_code_are_left_out(store, kept, counted, monkeypatch):
    monkeypatch.setattr(journal, "code_version", lambda: 1)
    assert len(Index(store).lines(pytest.fail).rows) == 3
    assert len(counted) == 3


def test_a_journal_that_is_too_large_is_left_out(store, kept, counted):
    os.truncate(kept, 2**40)
    assert len(Index(store).lines(pytest.fail).rows) == 3
    assert len(counted) == 3
    assert store.commit(record(3), store.root)
    assert kept.stat().st_size == 2**40


def test_nothing_is_written_through_a_link_a_pipe_or_a_second_name(store, tmp_path):
    path, elsewhere = store.root / "work" / NAME, tmp_path / "elsewhere"
    elsewhere.write_text("a diary")
    path.symlink_to(elsewhere)
    assert store.commit(record(0), store.root)
    path.unlink()
    path.hardlink_to(elsewhere)
    assert store.commit(record(1), store.root)
    path.unlink()
    os.mkfifo(path)
    assert store.commit(record(2), store.root)
    assert len(lines(store)) == 3
    path.unlink()
    path.mkdir()
    assert store.commit(record(3), store.root)
    assert len(lines(store)) == 4
    assert elsewhere.read_text() == "a diary"
