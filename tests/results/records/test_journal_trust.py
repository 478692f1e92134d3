"""A forged journal, or a link, pipe or folder in its place, changes no table and no other file."""

import os

import msgspec
import pytest

from tests.results.small import MOST, indexed_summaries, record, truth
from tlbench.contracts.record import Provenance
from tlbench.results.index import Index
from tlbench.results.records import journal
from tlbench.results.records.journal import NAME, read_journal


def entries(summaries, stamp):
    shared = journal._Shared(summaries.settings, summaries.provenances, summaries.metrics)
    packed = map(msgspec.json.encode, [shared, *(journal._Committed(*stamp, summary) for summary in summaries.cells)])
    return b"".join(b"\n" + journal._checksum(part) + part for part in packed)


def changed(row=0, **changes):
    def change(summaries):
        summaries.cells[row] = msgspec.structs.replace(summaries.cells[row], **changes)

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda summaries: summaries.settings.clear(),
        lambda summaries: summaries.provenances.clear(),
        lambda summaries: summaries.metrics.clear(),
        lambda summaries: summaries.provenances.update(
            {key: Provenance(device="another") for key in summaries.provenances}
        ),
        lambda summaries: summaries.settings.update(dict.fromkeys(summaries.settings)),
        lambda summaries: summaries.settings.update(
            {key: msgspec.structs.replace(setting, task_version=9) for key, setting in summaries.settings.items()}
        ),
        lambda summaries: summaries.metrics.update(dict.fromkeys(summaries.metrics, ("f1",))),
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
    (row, *_), (stamp, *_) = found.summaries.cells, found.stamps
    summaries = found.summaries.subset([row])
    change(summaries)
    kept.write_bytes(entries(summaries, stamp))
    found = Index(store).summaries(pytest.fail)
    assert len(counted) == 3
    assert found == truth(store)


@pytest.mark.parametrize("packed", [b"", b"[]", b"{}", b"[" * 10**5, b'["plan",1,2,"x",[1]]', b'["plan",1,2]', b"\xff"])
def test_invalid_entries_are_left_out(store, kept, packed):
    kept.write_bytes(kept.read_bytes() + b"\n" + journal._checksum(packed) + packed)
    assert len(read_journal(store.root, MOST).summaries.cells) == 3


def test_entries_of_other_code_are_left_out(store, kept, counted, monkeypatch):
    monkeypatch.setattr(journal, "code_version", lambda: 1)
    assert len(Index(store).summaries(pytest.fail).cells) == 3
    assert len(counted) == 3


def test_a_journal_that_is_too_large_is_left_out(store, kept, counted):
    os.truncate(kept, 2**40)
    assert len(Index(store).summaries(pytest.fail).cells) == 3
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
    assert len(indexed_summaries(store)) == 3
    path.unlink()
    path.mkdir()
    assert store.commit(record(3), store.root)
    assert len(indexed_summaries(store)) == 4
    assert elsewhere.read_text() == "a diary"
