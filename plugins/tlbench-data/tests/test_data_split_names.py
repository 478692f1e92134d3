"""Files are found by the names of splits that people use, and a table by being the only one in an archive."""

from __future__ import annotations

import zipfile

import pytest
from tlbench_data.split_names import named_splits, split_of

from tlbench import DataError, UsageError
from tlbench.catalog.catalog import Catalog


def table(size, start=0):
    return "text,label\n" + "".join(f"text {i},{('neg', 'pos')[i % 2]}\n" for i in range(start, start + size))


def task_of(path, params="", scheme="csv"):
    return Catalog.discover().task(f"{scheme}:{path}{params}").item


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("Train", "train"),
        ("Training", "train"),
        ("seg_train", "train"),
        ("VALID", "validation"),
        ("devel", "validation"),
        ("eval", "validation"),
        ("Testing", "test"),
        ("contest", None),
    ],
)
def test_the_split_of_a_name(name, split):
    assert split_of(name) == split


def test_the_usual_name_is_preferred_and_no_spelling_is():
    assert named_splits(["dev", "val", "Train", "other"]) == {"train": ("Train",), "validation": ("val",)}
    assert named_splits(["Test", "TEST", "test"]) == {"test": ("test", "TEST", "Test")}


@pytest.mark.parametrize(
    "names", [("Train.CSV", "Test.CSV"), ("Training.csv", "Testing.csv"), ("seg_train.csv", "test.csv")]
)
def test_a_folder_with_splits_of_other_names(tmp_path, names):
    for name, text in zip(names, (table(40), table(20, 40)), strict=True):
        (tmp_path / name).write_text(text)
    task = task_of(tmp_path)
    assert task.sizes == {"train": 40, "test": 20}
    assert "@" in task.name
    (tmp_path / "Devel.csv").write_text(table(10, 60))
    assert task_of(tmp_path).sizes == {"train": 40, "validation": 10, "test": 20}


def test_two_spellings_of_one_split(tmp_path):
    for name in ("Train.csv", "train.csv", "test.csv"):
        (tmp_path / name).write_text(table(20))
    with pytest.raises(UsageError, match=r"train\.csv and Train\.csv are both named like the train split"):
        task_of(tmp_path)


def test_a_folder_without_splits_says_which_tables_it_has(tmp_path):
    (tmp_path / "mine.csv").write_text(table(20))
    with pytest.raises(DataError, match=r"no file is called train\.\* \(csv: reads .*\); there is mine\.csv; give"):
        task_of(tmp_path).output  # noqa: B018


def archive(path, names):
    with zipfile.ZipFile(path, "w") as file:
        for number, name in enumerate(names):
            file.writestr(name, table(60, number * 60))
    return path


def test_one_table_in_an_archive(tmp_path, monkeypatch):
    monkeypatch.setenv("TLBENCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "reviews.csv").write_text(table(60))
    alone = task_of(tmp_path / "reviews.csv")
    for names in (["reviews.csv"], ["README.md", "data/reviews.csv"]):
        zipped = task_of(archive(tmp_path / f"{len(names)}.csv.zip", names))
        assert zipped.sizes == {"train": 48, "validation": 6, "test": 6}
        assert "reviews.csv of the archive" in zipped.description
    assert task_of(tmp_path / "1.csv.zip").split("test").fingerprint == alone.split("test").fingerprint


def test_several_tables_in_an_archive(tmp_path, monkeypatch):
    monkeypatch.setenv("TLBENCH_CACHE", str(tmp_path / "cache"))
    path = archive(tmp_path / "a.zip", ["one.csv", "two.csv"])
    with pytest.raises(DataError, match=r"a\.zip: it has 2 tables: one\.csv, two\.csv; say which"):
        task_of(path).output  # noqa: B018
    assert task_of(path, "[train=one.csv,test=two.csv]").sizes == {"train": 60, "test": 60}
    with pytest.raises(DataError, match=r"a\.zip: it has no file that ends in \.jsonl"):
        task_of(path, scheme="jsonl").output  # noqa: B018
