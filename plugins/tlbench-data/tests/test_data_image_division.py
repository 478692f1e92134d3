"""Splits that images lack: shares, groups from a table, and what a description says of them."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest
from PIL import Image

from tlbench import DataError, UsageError
from tlbench.catalog.catalog import Catalog
from tlbench.running.splits import Splits


def pictures(folder, count, start=0):
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.fromarray(np.full((4, 4), start + number, dtype=np.uint8)).save(folder / f"{number:02}.png")
    return folder


def two_classes(folder, count=20, start=0):
    pictures(folder / "cat", count, start)
    pictures(folder / "dog", count, start + count)
    return folder


def write_pair(folder, labels, name="train"):
    pixels = np.arange(len(labels) * 12, dtype=np.uint16).astype(np.uint8)
    (folder / f"{name}-images-idx3-ubyte.gz").write_bytes(
        gzip.compress(struct.pack(">iiii", 2051, len(labels), 3, 4) + pixels.tobytes())
    )
    (folder / f"{name}-labels-idx1-ubyte.gz").write_bytes(
        gzip.compress(struct.pack(">ii", 2049, len(labels)) + bytes(labels))
    )
    return folder


def task_of(folder, params="", scheme="imagefolder"):
    return Catalog.discover().task(f"{scheme}:{folder}{params}").item


def refused(folder, params, scheme="imagefolder", error=DataError):
    with pytest.raises(error) as caught:
        task_of(folder, params, scheme).description  # noqa: B018
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_shares_of_a_folder_without_splits(tmp_path):
    task = task_of(two_classes(tmp_path), "[validation=0.2,test=.30]")
    assert task.sizes == {"train": 20, "validation": 8, "test": 12}
    assert "(drawn by seed 0, stratified by class)" in task.description
    assert (
        Catalog.discover()
        .task(f"imagefolder:{tmp_path}[validation=0.2,test=.30]")
        .ref.name.endswith("[test=0.3,validation=0.2]")
    )


@pytest.mark.parametrize("params", ["", "[validation=0.1]", "[split_seed=4]"])
def test_a_carve_out_of_a_training_folder(tmp_path, params):
    two_classes(tmp_path / "train")
    # A copy under another name stays with its original.
    for number in range(10):
        (tmp_path / "train" / "cat" / f"copy{number}.png").write_bytes(
            (tmp_path / "train" / "cat" / f"{number:02}.png").read_bytes()
        )
    two_classes(tmp_path / "test", 2, 100)
    task = task_of(tmp_path, params)
    splits = Splits(task)
    size = 5 if "validation" in params else 10
    assert len(splits.validation) == size
    assert {e.inputs for e in splits.train}.isdisjoint({e.inputs for e in splits.validation})
    seed = 4 if "seed" in params else 0
    how = f"validation: {size} of 50 training rows carved by seed {seed}, stratified by class"
    assert how in task.description
    assert (task.split("validation") is None) == (not params)


def test_groups_of_a_table(tmp_path):
    pictures(tmp_path, 40)
    rows = [f"{number:02}.png,{'ab'[number % 2]},p{number // 4}" for number in range(40)]
    (tmp_path / "labels.csv").write_text("\n".join(["file_name,label,patient", *rows]))
    task = task_of(tmp_path, "[labels=labels.csv,group=patient]")
    groups = [{example.group for example in task.split(split)} for split in task.sizes]
    assert sum(map(len, groups)) == 10
    assert task.sizes == {"train": 32, "validation": 4, "test": 4}
    assert "groups whole" in task.description
    splits = [f"{row},{'train' if number < 30 else 'test'}" for number, row in enumerate(rows)]
    (tmp_path / "labels.csv").write_text("\n".join(["file_name,label,patient,split", *splits]))
    message = refused(tmp_path, "[labels=labels.csv,group=patient]")
    assert "a group is in several splits, such as 'p7' in train and test" in message


def timed(tmp_path, count=40, header="file_name,label,patient,taken"):
    """Images of alternating classes, four of each patient, one month after another."""
    pictures(tmp_path, count)
    rows = [
        f"{number:02}.png,{'ab'[number % 2]},p{number // 4},{2000 + number // 4}-0{1 + number % 4}-01"
        for number in range(count)
    ]
    (tmp_path / "labels.csv").write_text("\n".join([header, *rows]))
    return rows


def test_the_earliest_images_train_and_the_latest_test(tmp_path):
    timed(tmp_path)
    task = task_of(tmp_path, "[labels=labels.csv,time=taken]")
    assert task.sizes == {"train": 32, "validation": 4, "test": 4}
    assert [example.id for example in task.split("test")] == ["36.png", "37.png", "38.png", "39.png"]
    assert "by time: train to 2007-04-01, validation to 2008-04-01, test to 2009-04-01" in task.description
    both = task_of(tmp_path, "[labels=labels.csv,time=taken,group=patient]")
    assert {example.group for example in both.split("test")} == {"p9"}
    message = refused(tmp_path, "[labels=labels.csv,time=taken,group=patient,test=0.15]")
    assert "group=patient and time=taken contradict each other" in message


def test_times_of_images_that_cannot_be_used(tmp_path):
    rows = timed(tmp_path)
    split = [f"{row},{'train' if number < 30 else 'test'}" for number, row in enumerate(rows)]
    (tmp_path / "labels.csv").write_text("\n".join(["file_name,label,patient,taken,split", *split]))
    task = task_of(tmp_path, "[labels=labels.csv,time=taken]")
    assert [example.id for example in task.split("validation")][-1] == "29.png"
    every = [f"{row},{('train', 'test', 'validation')[number % 3]}" for number, row in enumerate(rows)]
    (tmp_path / "labels.csv").write_text("\n".join(["file_name,label,patient,taken,split", *every]))
    assert "time= has no effect" in refused(tmp_path, "[labels=labels.csv,time=taken]")
    late = [row.replace(",a,", ",c,") if number > 35 else row for number, row in enumerate(rows)]
    (tmp_path / "labels.csv").write_text("\n".join(["file_name,label,patient,taken", *late]))
    assert "no training image has c, which" in refused(tmp_path, "[labels=labels.csv,time=taken]")


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ("[time=taken]", "time=taken is a column of a table, as in [labels=labels.csv]"),
        ("[labels=labels.csv,time=taken,group=taken]", "group= and time= name the same column"),
        ("[labels=labels.csv,time=taken,split_seed=1]", "split_seed= has no effect with time="),
    ],
)
def test_options_of_time_that_cannot_be(tmp_path, params, words):
    timed(tmp_path)
    assert words in refused(tmp_path, params, error=UsageError)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ("[validation=1.5]", "validation=1.5: a share of the rows must lie between 0 and 1"),
        ("[validation=val]", "validation=val: a share"),
        ("[test=0.5,validation=0.5]", "leave no rows to train on"),
        ("[group=patient]", "group=patient is a column of a table, as in [labels=labels.csv]"),
        ("[split_seed=-1]", "a seed must be at least 0"),
    ],
)
def test_options_that_cannot_be(tmp_path, params, words):
    assert words in refused(two_classes(tmp_path, 4), params, error=UsageError)


def test_options_without_an_effect(tmp_path):
    for number, split in enumerate(("train", "val", "test")):
        two_classes(tmp_path / split, 4, number * 8)
    assert "split_seed= has no effect, since the data have every split" in refused(tmp_path, "[split_seed=1]")
    assert "test=0.2 has no effect, since there are images of that split" in refused(tmp_path, "[test=0.2]")


def test_shares_of_idx_files(tmp_path):
    write_pair(tmp_path, [0, 1] * 20)
    assert task_of(tmp_path, "[validation=0.2,test=0.2]", "idx").sizes == {"train": 24, "validation": 8, "test": 8}
    write_pair(tmp_path, [0, 1] * 5, "t10k")
    task = task_of(tmp_path, "[validation=0.1]", "idx")
    assert task.sizes == {"train": 36, "validation": 4, "test": 10}
    assert "(validation: 4 of 40 training rows carved by seed 0, stratified by class)" in task.description
    assert "test=0.2 has no effect" in refused(tmp_path, "[test=0.2]", "idx")
