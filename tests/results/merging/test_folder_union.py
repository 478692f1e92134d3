"""The union of folders of results: what is copied, what is reported, and that sources stay as they are."""

import hashlib
import os
import shutil

import msgspec
import pytest

from tests.results.conftest import answers, cell
from tests.results.stored import committed
from tlbench.contracts.cell import Plan
from tlbench.contracts.errors import UsageError
from tlbench.results.leaderboard import frame
from tlbench.results.merging import folder_union
from tlbench.results.merging.folder_union import merge
from tlbench.results.records.store import Store

ONE, TWO, THREE = (cell(strategy=name) for name in ("linear-probe", "full-finetune", "lp-ft"))
ANSWERS = answers(n=40)


def digests(root):
    return {
        str(path.relative_to(root)): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in root.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def folders(tmp_path):
    """Two folders with a cell each, and one that both have."""
    committed(tmp_path / "a", [(ONE, ANSWERS), (TWO, ANSWERS)])
    committed(tmp_path / "b", [(THREE, ANSWERS)])
    for name in (f"{TWO.id}.1.json", f"{TWO.id}.1.parquet"):
        shutil.copy(tmp_path / "a" / "records" / name, tmp_path / "b" / "records" / name)
    return tmp_path


def test_the_union_is_what_a_leaderboard_of_all_records_shows(folders):
    before = digests(folders / "a"), digests(folders / "b")
    merged = merge([folders / "a", folders / "b"], folders / "out")
    assert list(merged.added.values()) == [2, 1]
    assert list(merged.present.values()) == [0, 1]
    assert merged.is_whole
    union = Store.open(folders / "out")
    assert {record.cell.id for record in union.records()} == {ONE.id, TWO.id, THREE.id}
    everything = [record for name in "ab" for record in Store.open(folders / name).records()]
    assert frame(union.records()).equals(frame(everything))
    for name in "ab":
        for path in (folders / name / "records").iterdir():
            assert (folders / "out" / "records" / path.name).read_bytes() == path.read_bytes()
    assert (digests(folders / "a"), digests(folders / "b")) == before


def test_other_bytes_of_one_cell_are_reported_and_the_first_stays(folders):
    committed(folders / "c", [(ONE, answers(accuracy=0.7, n=40, draw=5))])
    committed(folders / "d", [(TWO, ANSWERS)], energy_joules=5.0)
    committed(folders / "e", [(ONE, None)])
    merged = merge([folders / name for name in "acde"], folders / "out")
    assert [one.source.name for one in merged.conflicts] == ["c", "d", "e"]
    scores, times, status = (one.difference for one in merged.conflicts)
    assert "other scores: accuracy 0." in scores
    assert "equal scores" in times
    assert "status ok is kept, failed is left out" in status
    for kept in (folders / "a" / "records").iterdir():
        assert (folders / "out" / "records" / kept.name).read_bytes() == kept.read_bytes()


def test_all_attempts_are_kept(folders):
    committed(folders / "c", [(ONE, ANSWERS)], attempt=2)
    merge([folders / "a", folders / "c"], folders / "out")
    assert Store.open(folders / "out").attempts()[ONE.id] == 2
    assert Store.open(folders / "out").record_path(ONE.id, 1).exists()


@pytest.mark.parametrize("stop", range(5))
def test_an_interrupted_merge_is_finished_by_the_same_call(folders, monkeypatch, stop):
    calls = []
    create = folder_union.create_durably

    def dying(path, content):
        calls.append(path)
        if len(calls) > stop:
            raise KeyboardInterrupt
        return create(path, content)

    monkeypatch.setattr(folder_union, "create_durably", dying)
    sources = [folders / "a", folders / "b"]
    with pytest.raises(KeyboardInterrupt):
        merge(sources, folders / "out")
    records = folders / "out" / "records"
    # A record that is there has its predictions.
    assert all(path.with_suffix(".parquet").exists() for path in records.glob("*.json"))
    monkeypatch.undo()
    assert merge(sources, folders / "out").is_whole
    assert len(list(records.glob("*.json"))) == len(list(records.glob("*.parquet"))) == 3


def test_what_cannot_be_trusted_is_left_out_and_named(folders):
    records = folders / "a" / "records"
    (records / f"{ONE.id}.1.json").write_text("{")
    (records / f"{TWO.id}.1.parquet").write_bytes(b"PAR1 no")
    (records / f"{THREE.id}.3.json").write_bytes((folders / "b" / "records" / f"{THREE.id}.1.json").read_bytes())
    os.mkfifo(records / f"{'0' * 16}.1.json")
    secret = folders / "secret"
    secret.write_text("secret")
    (records / f"{'1' * 16}.1.json").symlink_to(secret)
    record = Store.open(folders / "b").record(THREE.id)
    stolen = msgspec.structs.replace(record, predictions="../../secret")
    (records / f"{THREE.id}.1.json").write_bytes(msgspec.json.encode(stolen))
    merged = merge([folders / "a"], folders / "out")
    assert {one.file.partition(".")[0] for one in merged.left_out} == {ONE.id, TWO.id, THREE.id, "0" * 16, "1" * 16}
    # A record whose predictions are damaged is what the source's own leaderboard has too.
    assert [path.name for path in (folders / "out" / "records").iterdir()] == [f"{TWO.id}.1.json"]
    assert not merged.is_whole
    # Another folder has the same record with its predictions.
    assert merge([folders / "b"], folders / "out").is_whole
    assert (folders / "out" / "records" / f"{TWO.id}.1.parquet").exists()


def test_a_plan_is_copied_if_all_sources_have_it(folders):
    plan = Plan("shared", (ONE, TWO, THREE))
    for name in "ab":
        Store.open(folders / name).save_plan(plan)
    merge([folders / "a", folders / "b"], folders / "out")
    assert Store.open(folders / "out").plan() == plan
    committed(folders / "c", [(ONE, ANSWERS)])
    merge([folders / "a", folders / "c"], folders / "other")
    assert Store.open(folders / "other").plan() is None


@pytest.mark.parametrize("out", ["a", "a/records", "a/records/new", "x/../a"])
def test_a_source_is_never_written(folders, out):
    (folders / "x").mkdir()
    before = digests(folders / "a")
    with pytest.raises(UsageError, match="sources stay"):
        merge([folders / "a"], folders / out)
    assert digests(folders / "a") == before


def test_a_folder_without_results_is_named(folders):
    (folders / "empty").mkdir()
    with pytest.raises(UsageError, match="empty: no results here"):
        merge([folders / "a", folders / "empty"], folders / "out")
    assert not (folders / "out").exists()
