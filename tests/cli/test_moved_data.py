"""A run on a file of one's own: nothing that is sent says where it lies, and it may be moved between commands."""

import csv
import json

import pytest

from tlbench.catalog.catalog import Catalog
from tlbench.cli.app import _main
from tlbench.contracts.identity.known_places import PLACES_VARIABLE
from tlbench.results.records.store import Store

pytest.importorskip("tlbench_data", reason="the plugin tlbench-data is not installed")


@pytest.fixture
def ran(tmp_path, monkeypatch):
    """Runs a cell on ann's file; returns a function that runs it again on another file, and the folder of results."""
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin")
    monkeypatch.setenv("TLBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(PLACES_VARIABLE, "{}")
    reviews = tmp_path / "home-of-ann" / "reviews.csv"
    reviews.parent.mkdir()
    rows = "".join(f"text {n} is {'good' if n % 2 else 'bad'},{'yes' if n % 2 else 'no'}\n" for n in range(40))
    reviews.write_text("text,label\n" + rows)

    def run(path, *more):
        what = ["-t", f"csv:{path}", "-b", "toy", "-S", "toy-tune", "--seeds", "1", "--no-baseline"]
        return _main(["run", *what, "--executor", "inline", "-q", "--out", str(tmp_path / "out"), *more])

    assert run(reviews, "--keep-models", "all") == 0
    return run, Store.open(tmp_path / "out"), reviews


def test_a_moved_file_is_the_same_task_for_every_command(ran, tmp_path, monkeypatch, capsys):
    run, store, reviews = ran
    (record,) = store.records()
    moved = tmp_path / "home-of-bob"
    reviews.parent.rename(moved)
    assert run(moved / "reviews.csv") == 0
    assert [one.cell.id for one in store.records()] == [record.cell.id]
    monkeypatch.setenv(PLACES_VARIABLE, "{}")
    new, to, sent = tmp_path / "new.csv", tmp_path / "predicted.csv", tmp_path / "sent"
    new.write_text("text\nthis is good\nthat is bad\n")
    out = ["--out", str(tmp_path / "out")]
    assert _main(["predict", record.cell.id, str(new), "--to", str(to), *out]) == 0
    with to.open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 2
    assert _main(["submit", *out, "--to", str(sent)]) == 0
    capsys.readouterr()
    assert _main(["verify", str(sent), "--read-files", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["submissions"]
    assert (found["accepted"], found["tier"]) == (True, "recomputed")
    assert _main(["leaderboard", *out, "--task", f"csv:{moved}/reviews.csv", "--json"]) == 0
    assert "csv:reviews.csv@sha-" in capsys.readouterr().out


def test_nothing_that_is_sent_says_where_the_data_are(ran, tmp_path):
    assert _main(["submit", "--out", str(tmp_path / "out"), "--to", str(tmp_path / "sent")]) == 0
    files = [path for path in (tmp_path / "sent").rglob("*") if path.is_file()]
    assert len(files) > 3
    for file in (*files, *(tmp_path / "out" / "records").iterdir(), tmp_path / "out" / "plan.json"):
        assert b"home-of-ann" not in file.read_bytes(), file


def test_a_failed_record_names_the_file_without_its_folder(ran, tmp_path, monkeypatch):
    run, store, reviews = ran
    from tlbench_data.own.own_task import OwnTask

    from tlbench import DataError

    def broken(self, name):
        raise DataError(f"{reviews}, line 7: it is broken")

    monkeypatch.setattr(OwnTask, "split", broken)
    run(reviews, "--fresh", "all")
    record = store.newest(next(iter(store.attempts())))
    assert record.status == "failed"
    assert "reviews.csv, line 7" in record.reason
    assert "home-of-ann" not in record.reason + record.traceback


def test_a_renamed_folder_is_one_task_in_the_table(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin")
    monkeypatch.setenv("TLBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(PLACES_VARIABLE, "{}")
    folder = tmp_path / "pets"
    folder.mkdir()
    for split in ("train", "test"):
        rows = "".join(f"{split} {n} is {'good' if n % 2 else 'bad'},{'yes' if n % 2 else 'no'}\n" for n in range(40))
        (folder / f"{split}.csv").write_text("text,label\n" + rows)
    out = ["--out", str(tmp_path / "out")]
    for name, strategy in (("pets", "toy-tune"), ("animals", "toy-fit")):
        place = folder.rename(tmp_path / name)
        what = ["-t", f"csv:{place}", "-b", "toy", "-S", strategy, "--seeds", "1", "--no-baseline"]
        assert _main(["run", *what, "--executor", "inline", "-q", *out]) == 0
        folder = place
    capsys.readouterr()
    assert _main(["leaderboard", *out, "--all", "--json", "--task", f"csv:{folder}"]) == 0
    (task,) = json.loads(capsys.readouterr().out)["tasks"]
    assert len(task["rows"]) == 2
    assert Catalog.discover().task(task["task"]).item.sizes["test"] == 40
