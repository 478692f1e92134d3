"""Options of image folders and IDX files: renamed classes, files of classes, metrics of one class, tables with gaps."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image

from tlbench import DataError, UsageError
from tlbench.catalog.catalog import Catalog


def pictures(folder, count=10, start=0):
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.fromarray(np.full((4, 4), start + number, dtype=np.uint8)).save(folder / f"{number:02}.png")
    return folder


@pytest.fixture
def pets(tmp_path):
    for place, name in enumerate(("cat", "dog", "puppy")):
        pictures(tmp_path / "pets" / name, start=10 * place)
    return tmp_path / "pets"


@pytest.fixture
def digits(tmp_path):
    """IDX files of the numbers 0 to 2, in a training and a test pair."""
    for split, labels in (("train", [0, 1, 2] * 4), ("test", [2, 1, 0])):
        images = np.arange(len(labels) * 6, dtype=np.uint8).reshape(len(labels), 2, 3)
        for what, values in (("images", images), ("labels", np.array(labels, dtype=np.uint8))):
            header = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
            (tmp_path / f"{split}-{what}-idx{values.ndim}-ubyte").write_bytes(header + values.tobytes())
    return tmp_path


def named(scheme, folder, params=""):
    return Catalog.discover().task(f"{scheme}:{folder}{params}")


def test_classes_of_folders_are_joined(pets):
    task = named("imagefolder", pets, "[map=puppy:dog,metric=f1,positive_class=dog]")
    assert task.item.output.names == ("cat", "dog")
    assert task.item.metrics == ("f1", "accuracy", "f1_macro")
    assert task.item.positive == 1
    assert task.item.sizes == {"train": 24, "validation": 3, "test": 3}
    assert task.item.description.endswith("; f1 of 'dog'")
    targets = {e.id.split("/")[0]: e.target for name in task.item.sizes for e in task.item.split(name)}
    assert targets == {"cat": 0, "dog": 1, "puppy": 1}
    assert Catalog.discover().task(task.ref.name).item == task.item


def test_a_class_of_the_test_alone_can_be_renamed(pets, tmp_path):
    folder = tmp_path / "splits"
    for split, classes in (("train", ("cat", "dog")), ("test", ("cat", "puppy"))):
        for place, name in enumerate(classes):
            pictures(folder / split / name, 3, start=100 * (split == "test") + 10 * place)
    assert named("imagefolder", folder, "[map=puppy:dog]").item.output.names == ("cat", "dog")
    with pytest.raises(DataError, match=r"test: the class 'wolf' is not in labels=cat\+dog"):
        named("imagefolder", folder, "[map=puppy:wolf]").item.description  # noqa: B018


def test_classes_from_a_file(pets):
    (pets / "classes.txt").write_text("puppy\ndog\ncat\nC++\n")
    task = named("imagefolder", pets, "[labels=classes.txt]")
    assert task.item.output.names == ("puppy", "dog", "cat", "C++")
    assert "labels=classes.txt@sha-" in task.ref.name
    assert named("imagefolder", pets, r"[labels=puppy+dog+cat+C\+\+]").item.output == task.item.output


def test_incomplete_rows_of_a_table_of_labels(tmp_path):
    pictures(tmp_path, 20)
    rows = [f"{number:02}.png,{'ab'[number % 2]}" for number in range(18)]
    (tmp_path / "labels.csv").write_text("\n".join(["file,label", *rows, "18.png,", "99.png,a"]))
    with pytest.raises(DataError, match=r"1 of 20 rows name no image .*: 99\.png; drop_missing=true leaves them out"):
        named("imagefolder", tmp_path, "[labels=labels.csv]").item.description  # noqa: B018
    task = named("imagefolder", tmp_path, "[labels=labels.csv,drop_missing=true,map=a:x]").item
    assert task.output.names == ("b", "x")
    assert sum(task.sizes.values()) == 18
    for note in ("images that labels.csv does not name 1", "without an image 1", "without a label 1"):
        assert note in task.description
    (tmp_path / "labels.csv").write_text("\n".join(["file,label", *rows, "18.png,"]))
    with pytest.raises(DataError, match=r"1 of 19 rows have no label \(line 20\); drop_missing=true leaves them out"):
        named("imagefolder", tmp_path, "[labels=labels.csv]").item.description  # noqa: B018


def test_classes_of_idx_files(digits):
    assert named("idx", digits, "[map=0:small+1:small]").item.output.names == ("small", "2")
    task = named("idx", digits, "[labels=zero+one+two,map=zero:even+two:even,metric=f1,positive_class=even]").item
    assert task.output.names == ("even", "one")
    assert [example.target for example in task.split("test")] == [0, 1, 0]
    assert (task.metrics[0], task.positive) == ("f1", 0)
    assert task.description.endswith("; f1 of 'even'")
    (digits / "names.txt").write_text("zero\none\ntwo\n")
    assert named("idx", digits, "[labels=names.txt]").item.output.names == ("zero", "one", "two")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ("[metric=f1]", "f1 is of one class, but there are 3: set metric=f1_macro or positive_class="),
        ("[metric=f1,positive_class=9]", "positive_class=9: choose "),
        ("[map=9:x]", "map= renames '9', but there is "),
        ("[map={0}:x+{1}:x+{2}:x]", "map= leaves one class, 'x'; there must be at least two"),
    ],
)
@pytest.mark.parametrize("scheme", ["imagefolder", "idx"])
def test_what_does_not_fit_the_classes(scheme, pets, digits, params, message):
    folder, classes = (pets, ("cat", "dog", "puppy")) if scheme == "imagefolder" else (digits, "012")
    with pytest.raises(DataError, match=message):
        named(scheme, folder, params.format(*classes)).item.description  # noqa: B018


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ("[metric=nonsense]", "choose accuracy"),
        ("[positive_class=dog]", "positive_class= needs metric=f1, precision, recall"),
        ("[map=dog]", "map=dog: 'dog' is not old:new"),
        ("[drop_missing=true]", r"drop_missing= is for a table of labels, as labels=labels\.csv"),
    ],
)
def test_options_that_cannot_be(pets, params, message):
    with pytest.raises(UsageError, match=message):
        named("imagefolder", pets, params)
