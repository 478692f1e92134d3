"""Own data in IDX files, MNIST's format."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from tlbench_data.images.idx_task import IdxImages

from tlbench import DataError, UsageError
from tlbench.catalog.catalog import Catalog


def write_pair(folder: Path, labels: list[int], split: str = "train", end: str = "-idx{}-ubyte.gz") -> Path:
    """Writes images whose pixels are all distinct, and their labels."""
    images = np.arange(len(labels) * 6, dtype=np.uint16).view(np.uint8).reshape(len(labels), 3, 4)
    folder.mkdir(parents=True, exist_ok=True)
    for what, values in (("images", images), ("labels", np.array(labels, dtype=np.uint8))):
        content = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.tobytes()
        path = folder / f"{split}-{what}{end.format(values.ndim)}"
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return folder


def task_of(folder: Path, params: str = "") -> IdxImages:
    return Catalog.discover().task(f"idx:{folder}{params}").item


def refused(folder: Path, params: str = "") -> str:
    with pytest.raises(DataError) as caught:
        task_of(folder, params).output  # noqa: B018
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("end", ["-idx{}-ubyte.gz", "-idx{}-ubyte", ".idx{}-ubyte"])
@pytest.mark.parametrize("test", ["t10k", "test"])
def test_a_folder_in_mnists_layout(tmp_path, end, test):
    write_pair(tmp_path, [3, 7, 3], "train", end)
    write_pair(tmp_path, [7, 3], test, end)
    task = task_of(tmp_path)
    assert task.output.names == ("3", "7")
    assert task.sizes == {"train": 3, "test": 2}
    assert [example.target for example in task.split("train")] == [0, 1, 0]
    assert [example.id for example in task.split("test")] == ["test-0", "test-1"]
    image = task.split("train")[1].inputs[0]
    assert (image.mode, image.size) == ("L", (4, 3))
    assert np.asarray(image).tobytes() == np.arange(6, 12, dtype=np.uint16).tobytes()
    assert task.split("validation") is None
    sizes = "3 train, 2 test (validation: 1 of 3 training rows carved by seed 0, stratified by class)"
    assert task.description == f"Your images of 4 x 3 grey pixels of 2 classes; {sizes}"


def test_a_training_pair_alone_is_drawn_into_splits(tmp_path):
    task = task_of(write_pair(tmp_path, [0, 1] * 20))
    assert task.sizes == {"train": 32, "validation": 4, "test": 4}
    assert "4 test (drawn by seed 0, stratified by class)" in task.description
    ids = {example.id for name in task.sizes for example in task.split(name)}
    assert len(ids) == 40
    assert sum(example.target for example in task.split("test")) == 2


def test_the_name_is_pinned_to_the_content(tmp_path):
    name = Catalog.discover().task(f"idx:{write_pair(tmp_path, [0, 1] * 20)}").ref.name
    assert Catalog.discover().task(name).item == task_of(tmp_path)
    write_pair(tmp_path, [1, 0] * 20)
    with pytest.raises(UsageError, match="its digest is now"):
        Catalog.discover().task(name)


@pytest.mark.parametrize(
    ("labels", "targets"), [([1, 2, 3], [0, 1, 2]), ([0, 2, 1], [0, 2, 1]), ([1, 2, 2], [1, 2, 2])]
)
def test_classes_are_named_in_the_order_of_their_numbers(tmp_path, labels, targets):
    # From 1 only if the largest number is that of the names; else from 0.
    write_pair(tmp_path, labels)
    write_pair(tmp_path, labels[1:], "test")
    task = task_of(tmp_path, "[labels=a+b+c]")
    assert task.output.names == ("a", "b", "c")
    assert [example.target for example in task.split("train")] == targets


def test_one_of_several_sets_is_chosen(tmp_path):
    for name, labels in (("emnist-letters", [1, 2, 1]), ("emnist-digits", [0, 4, 4, 0])):
        write_pair(tmp_path, labels, f"{name}-train")
        write_pair(tmp_path, labels[:2], f"{name}-test")
    assert "choose one of its data sets, as [subset=emnist-digits]: emnist-digits, emnist-letters" in refused(tmp_path)
    assert task_of(tmp_path, "[subset=emnist-letters]").sizes == {"train": 3, "test": 2}
    assert task_of(tmp_path, "[subset=emnist-digits]").output.names == ("0", "4")


def test_files_that_make_no_task_are_one_line(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "train-images-idx3-ubyte").write_bytes(b"")
    with pytest.raises(DataError, match=r"no two files such as .*; there is train-images-idx3-ubyte$"):
        task_of(tmp_path / "a")
    assert "there is no training pair, but test" in refused(write_pair(tmp_path / "b", [0, 1], "test"))
    assert "every label is 4" in refused(write_pair(tmp_path / "c", [4, 4]))
    write_pair(write_pair(tmp_path / "d", [0, 1]), [0, 2], "test")
    message = refused(tmp_path / "d")
    assert "the label 2 is none of the 2 classes 0, 1; [labels=a+b+c] declares all of them" in message
    with pytest.raises(UsageError, match="give two or more different classes"):
        task_of(tmp_path / "d", "[labels=a+a]")
