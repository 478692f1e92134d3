"""`parallel:`: translation tasks made of two aligned text files, or of a folder of them."""

from __future__ import annotations

import gzip
import shutil

import pytest

from tlbench import DataError, Text, UsageError
from tlbench.catalog.catalog import Catalog
from tlbench.testing.conformance import TaskConformance


@pytest.fixture(scope="module")
def catalog():
    return Catalog.discover()


def corpus(folder, stem, endings=("en", "de"), rows=10):
    folder.mkdir(exist_ok=True)
    for ending in endings:
        (folder / f"{stem}.{ending}").write_text("".join(f"{ending} {stem} {i}\n" for i in range(rows)))
    return folder


@pytest.fixture
def folder(tmp_path):
    for stem, rows in (("train", 20), ("valid", 4), ("test_2016_flickr", 5)):
        corpus(tmp_path / "mt", stem, rows=rows)
    return tmp_path / "mt"


def test_two_files_are_drawn_into_splits(catalog, tmp_path, monkeypatch):
    monkeypatch.chdir(corpus(tmp_path, "corpus", rows=30))
    named = catalog.task("parallel:corpus.en+corpus.de[max_length=9]")
    task = named.item
    assert (task.output, task.metrics) == (Text(9), ("bleu", "chrf", "rougeL"))
    assert task.sizes == {"train": 24, "validation": 3, "test": 3}
    row = task.split("test")[0]
    assert row.target == (row.inputs[0].replace("en ", "de "),)
    assert task.description == (
        "text: source -> target; 24 train, 3 validation, 3 test (drawn by seed 0); corpus.en to corpus.de"
    )
    assert named.ref.name.startswith("parallel:corpus.en+corpus.de@sha-")
    monkeypatch.chdir("/")
    assert Catalog.discover().task(named.ref.name).item == task
    (tmp_path / "corpus.de").write_text("another\n" * 30)
    with pytest.raises(UsageError, match="its digest is now"):
        Catalog.discover().task(named.ref.name)


def test_a_folder_of_splits(catalog, folder):
    task = catalog.task(f"parallel:{folder}[src=en,tgt=de]").item
    assert task.sizes == {"train": 20, "validation": 4, "test": 5}
    assert task.split("validation")[0].inputs == ("en valid 0",)
    back = catalog.task(f"parallel:{folder}[tgt=en]").item
    assert back.split("validation")[0].target == ("en valid 0",)
    assert back.description.endswith("; de to en")


def test_shares_of_a_folder_of_splits(catalog, folder):
    (folder / "valid.en").unlink()
    (folder / "valid.de").unlink()
    task = catalog.task(f"parallel:{folder}[src=en,tgt=de,validation=0.1]").item
    assert task.sizes == {"train": 18, "validation": 2, "test": 5}
    assert "(validation: 2 of 20 training rows carved by seed 0)" in task.description
    with pytest.raises(DataError, match=r"test=0\.2 takes test from the training rows, but test_2016_flickr"):
        catalog.task(f"parallel:{folder}[src=en,tgt=de,test=0.2]").item.output  # noqa: B018
    with pytest.raises(UsageError, match="parallel: does not use group="):
        catalog.task(f"parallel:{folder}[src=en,tgt=de,group=x]")


@pytest.mark.parametrize("endings", [("source", "target"), ("src", "tgt"), ("src", "trg")])
def test_endings_that_say_the_direction(catalog, tmp_path, endings):
    task = catalog.task(f"parallel:{corpus(tmp_path / 'sums', 'corpus', endings, rows=30)}").item
    assert task.split("train")[0].inputs[0].startswith(endings[0])


def test_only_pair_of_a_folder_packed_or_not(catalog, tmp_path):
    # As OPUS publishes it; README and scores are no languages.
    corpus(tmp_path, "Tatoeba.de-en", ("de", "ids", "txt"), rows=30)
    (tmp_path / "Tatoeba.de-en.en.gz").write_bytes(gzip.compress(b"".join(b"en %d\n" % i for i in range(30))))
    task = catalog.task(f"parallel:{tmp_path}[src=en]").item
    assert task.sizes == {"train": 24, "validation": 3, "test": 3}


def test_an_archive_of_pairs(catalog, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("TLBENCH_CACHE", str(tmp_path / "cache"))
    packed = shutil.make_archive(str(tmp_path / "opus"), "zip", folder)
    task = catalog.task(f"parallel:{packed}[src=en]")
    assert task.item.sizes == {"train": 20, "validation": 4, "test": 5}
    assert Catalog.discover().task(task.ref.name).item == task.item


def test_splits_that_are_named(catalog, folder, tmp_path):
    corpus(tmp_path, "other", rows=6)
    by_stem = catalog.task(f"parallel:{folder}[src=en,test=valid,validation=test_2016_flickr]")
    assert by_stem.item.sizes == {"train": 20, "validation": 5, "test": 4}
    assert Catalog.discover().task(by_stem.ref.name).item == by_stem.item
    files = f"{tmp_path}/other.en+{tmp_path}/other.de"
    assert catalog.task(f"parallel:{folder}[src=en,test={files}]").item.sizes["test"] == 6
    from_files = catalog.task(f"parallel:{folder}/train.en+{folder}/train.de[test=valid.en+valid.de]").item
    assert from_files.sizes == {"train": 20, "test": 4}


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ("", r"files end in de, en: choose the direction, as \[src=de,tgt=en\] or \[src=en,tgt=de\]"),
        ("[src=en,tgt=fr]", r"no pair of files ends in \.fr; there is de, en"),
        ("[src=en,tgt=en]", r"no pair of files ends in \.en and \.en; there is de, en"),
        ("[src=en,test=train]", "train and test share a file"),
    ],
)
def test_a_folder_that_cannot_be_read_so(catalog, folder, params, message):
    with pytest.raises(DataError, match=message):
        catalog.task(f"parallel:{folder}{params}").item.output  # noqa: B018


def test_several_pairs_for_a_split(catalog, folder):
    corpus(folder, "test_2017_mscoco")
    with pytest.raises(DataError, match=r"test_2016_flickr and test_2017_mscoco are named like .*\[test=test_2016_fli"):
        catalog.task(f"parallel:{folder}[src=en]").item.output  # noqa: B018
    assert catalog.task(f"parallel:{folder}[src=en,test=test_2017_mscoco]").item.sizes["test"] == 10


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("train.en", r"one file; give source and target, as parallel:train\.en\+train\.de"),
        ("train.en+gone.de", "no such files or folder"),
        ("train.en+train.en", "source and target are one file"),
        ("train.en+train.de[src=en]", "src= and tgt= choose files of a folder"),
        ("train.en+train.de[text=en]", "parallel: does not use text="),
        ("train.en+train.de[test=gone]", r"no file .*gone\.en; give the name without its ending, or source\+target"),
    ],
)
def test_names_that_cannot_be(catalog, folder, monkeypatch, name, message):
    monkeypatch.chdir(folder)
    with pytest.raises(UsageError, match=message):
        catalog.task(f"parallel:{name}")


def test_unequal_numbers_of_lines(catalog, tmp_path):
    corpus(tmp_path, "a", rows=5)
    corpus(tmp_path, "b", rows=4)
    with pytest.raises(DataError, match=r"a\.en has 5 lines and .*b\.de has 4; "):
        catalog.task(f"parallel:{tmp_path}/a.en+{tmp_path}/b.de").item.output  # noqa: B018


def test_empty_lines_are_counted_or_left_out(catalog, tmp_path):
    corpus(tmp_path, "a", rows=30)
    # "nan" is a word, unlike in a table.
    (tmp_path / "a.de").write_text("nan\n \n" + "".join(f"de {i}\n" for i in range(28)))
    name = f"parallel:{tmp_path}/a.en+{tmp_path}/a.de"
    with pytest.raises(DataError, match=r"1 of 30 rows .*1 with an empty target text \(line 2\); drop_missing=true"):
        catalog.task(name).item.output  # noqa: B018
    task = catalog.task(f"{name}[drop_missing=true]").item
    assert sum(task.sizes.values()) == 29
    assert "left out: 1 row with an empty target text" in task.description


class TestParallelFiles(TaskConformance):
    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _written(cls, tmp_path_factory):
        folder = tmp_path_factory.mktemp("aligned")
        for stem, rows in (("train", 20), ("test", 4)):
            corpus(folder, stem, rows=rows)
        cls.task = Catalog.discover().task(f"parallel:{folder}[src=en]").item
        cls.sizes = {"train": 20, "test": 4}
