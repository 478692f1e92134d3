"""Splits of your own files: given as params, found by name, or drawn."""

from __future__ import annotations

import csv
import gzip

import pytest

from tlbench import DataError, UsageError, draw
from tlbench.catalog.catalog import Catalog


@pytest.fixture(scope="module")
def catalog():
    return Catalog.discover()


def write_csv(path, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    return path


def task_of(catalog, path, params=""):
    return catalog.task(f"csv:{path}{params}").item


@pytest.fixture
def folder(tmp_path):
    for name, size in (("train", 20), ("valid", 6), ("test", 8)):
        write_csv(tmp_path / f"{name}.csv", [(f"{name} {i}", "ab"[i % 2]) for i in range(size)])
    return tmp_path


def test_splits_of_a_folder(catalog, folder):
    task = task_of(catalog, folder)
    assert task.sizes == {"train": 20, "validation": 6, "test": 8}
    assert task.split("test")[0].id == "test-0"
    (folder / "valid.csv").unlink()
    without = task_of(Catalog.discover(), folder)
    assert without.split("validation") is None
    assert without.name != task.name


def test_splits_from_files_that_are_named(catalog, folder):
    (folder / "train.csv").rename(folder / "mine.csv")
    named = catalog.task(f"csv:{folder}[train=mine.csv,test=valid.csv]")
    # valid.csv was named as the test: it is not the validation split too.
    assert named.item.sizes == {"train": 20, "test": 6}
    assert "train=mine.csv@sha-" in named.ref.name
    assert Catalog.discover().task(named.ref.name).item == named.item
    one = catalog.task(f"csv:{folder / 'mine.csv'}[test=test.csv]")
    assert one.item.sizes == {"train": 20, "test": 8}
    write_csv(folder / "test.csv", [("new", "a"), ("newer", "b")])
    with pytest.raises(UsageError, match="its digest is now"):
        Catalog.discover().task(one.ref.name)


@pytest.mark.parametrize(
    ("drop", "params", "message"),
    [
        ("train", "", r"no file is called train\.\*"),
        ("test", "", r"no file is called test\.\*"),
        ("", "[validation=test.csv,test=test.csv]", "one file is given for two splits"),
    ],
)
def test_splits_that_cannot_be(catalog, folder, drop, params, message):
    if drop:
        (folder / f"{drop}.csv").unlink()
    with pytest.raises(DataError, match=message):
        task_of(catalog, folder, params=params).output  # noqa: B018


def test_a_file_without_a_test_split(catalog, folder):
    with pytest.raises(DataError, match=r"train\.csv: no file is called test\.\*"):
        task_of(catalog, folder / "train.csv", "[validation=test.csv]").output  # noqa: B018


def test_links_keep_their_name_and_are_seen_through(catalog, tmp_path):
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots" / "1"
    blobs.mkdir()
    snapshot.mkdir(parents=True)
    for number, split in enumerate(("train", "test")):
        text = "text,label\n" + "".join(f"{split} {i},{'ab'[i % 2]}\n" for i in range(20))
        (blobs / f"{number}").write_bytes(gzip.compress(text.encode()))
        (snapshot / f"{split}.csv.gz").symlink_to(blobs / f"{number}")
    (snapshot / "again.csv.gz").symlink_to(blobs / "1")
    named = catalog.task(f"csv:{snapshot}/train.csv.gz[test=test.csv.gz]")
    assert named.ref.name.startswith("csv:train.csv.gz@sha-")
    assert named.item.sizes == {"train": 20, "test": 20}
    with pytest.raises(DataError, match="one file is given for two splits"):
        task_of(catalog, snapshot / "train.csv.gz", "[validation=again.csv.gz,test=test.csv.gz]").output  # noqa: B018
    with pytest.raises(DataError, match=r"no file is called test\.\*"):
        task_of(catalog, snapshot, "[validation=again.csv.gz]").output  # noqa: B018


def test_a_class_that_only_the_test_has(catalog, folder):
    write_csv(folder / "test.csv", [("x", "a"), ("y", "c")])
    with pytest.raises(DataError, match=r"test\.csv, line 3: label is 'c', which no training row has"):
        task_of(catalog, folder).output  # noqa: B018


def test_an_empty_split(catalog, folder):
    write_csv(folder / "test.csv", [])
    with pytest.raises(DataError, match=r"test\.csv: the file has no rows"):
        task_of(catalog, folder).output  # noqa: B018


def test_the_draw_keeps_what_is_the_same_on_one_side(catalog, tmp_path):
    path = write_csv(tmp_path / "a.csv", [(f"text {i % 15}", "ab"[i % 15 % 2]) for i in range(60)])
    first, second = task_of(catalog, path), task_of(catalog, path, params="[seed=1]")
    shown = [{row.inputs for row in first.split(name)} for name in ("train", "validation", "test")]
    assert sum(map(len, shown)) == 15
    assert sum(first.sizes.values()) == 60
    assert first.split("test").fingerprint != second.split("test").fingerprint


def test_shares_are_met_over_many_small_classes():
    strata = [row % 77 for row in range(770)]
    parts = draw(list(range(770)), strata, {"train": 0.8, "validation": 0.1, "test": 0.1}, seed=3)
    assert {name: len(rows) for name, rows in parts.items()} == {"train": 616, "validation": 77, "test": 77}
    assert sorted(row for rows in parts.values() for row in rows) == list(range(770))
    few = draw(list(range(154)), [row % 77 for row in range(154)], {"train": 0.8, "test": 0.2}, seed=3)
    assert {strata[row] for row in few["train"]} == set(range(77))
    assert len(few["test"]) == pytest.approx(154 * 0.2, abs=1)
