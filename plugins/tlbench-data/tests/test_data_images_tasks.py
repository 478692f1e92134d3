"""The named image tasks, on their own files where they are here, else on tiny files in the same layout."""

from __future__ import annotations

from types import MappingProxyType
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image
from tlbench_data.images.image_tasks import Cifar10, Cifar10OnePercent, Digits, FashionMnist, Hymenoptera, tasks

from tlbench import DataError, UsageError
from tlbench.testing.conformance.task import TaskConformance


def here(task):
    """Skips where the task's files are not on this machine."""
    return pytest.mark.skipif(task.missing() is not None, reason=str(task.missing()))


class TestDigits(TaskConformance):
    task = Digits()
    sizes = Digits.sizes

    def test_images(self, splits):
        image = splits["train"][0].inputs[0]
        assert (image.size, image.mode) == ((8, 8), "L")
        assert max(np.asarray(example.inputs[0]).max() for example in splits["test"]) == 255

    def test_every_digit_is_as_often_in_each_split(self, splits):
        for examples in splits.values():
            counts = np.bincount([example.target for example in examples])
            assert counts.max() - counts.min() <= 4

    def test_another_seed_is_another_split(self, splits):
        other = Digits(split_seed=1)
        assert len(other.split("train")) == 1079
        assert other.split("train").fingerprint != splits["train"].fingerprint


def test_a_seed_that_cannot_be_is_one_line():
    with pytest.raises(UsageError, match="digits: split_seed=-1: a seed must be at least 0"):
        Digits(split_seed=-1)
    with pytest.raises(UsageError, match="cifar10-1pct: draw_seed=-1: a seed must be at least 0"):
        Cifar10OnePercent(draw_seed=-1)


JPEG = Cifar10OnePercent(files="jpeg")


@here(JPEG)
class TestCifar10OnePercentOfTheCopy(TaskConformance):
    task = JPEG
    sizes: ClassVar = {"train": 500, "test": 1000, "validation": 0}

    def test_fifty_of_each_class(self, splits):
        assert np.bincount([example.target for example in splits["train"]]).tolist() == [50] * 10
        assert splits["train"][0].inputs[0].open().size == (32, 32)

    def test_another_seed_draws_others(self, splits):
        other = Cifar10OnePercent(files="jpeg", draw_seed=1).split("train")
        common = {example.id for example in other} & {example.id for example in splits["train"]}
        assert len(other) == 500
        assert 20 < len(common) < 200


@here(Hymenoptera())
class TestHymenoptera(TaskConformance):
    task = Hymenoptera()

    def test_validation_is_left_to_be_carved(self, splits):
        assert set(splits) == {"train", "test"}
        assert {name: len(examples) for name, examples in splits.items()} in Hymenoptera.copies


class TinyCifar10(Cifar10):
    name = "tiny-cifar10"
    sizes = MappingProxyType({"train": 100, "test": 20})


class TinyFashion(FashionMnist):
    name = "tiny-fashion"
    sizes = MappingProxyType({"train": 40, "test": 20})


@pytest.fixture
def cifar_files(tmp_path, monkeypatch):
    """The six files, 20 rows each."""
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    draw = np.random.default_rng(0)
    for name in [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]:
        rows = draw.integers(0, 256, (20, 3073), dtype=np.uint8)
        rows[:, 0] = np.arange(20) % 10
        (folder / name).write_bytes(rows.tobytes())
    monkeypatch.setenv("TLBENCH_DATA", str(tmp_path))
    return folder


def test_cifar10_is_read_from_the_binary_files(cifar_files):
    task = TinyCifar10()
    train, test = task.split("train"), task.split("test")
    assert (len(train), len(test), task.split("validation")) == (100, 20, None)
    assert [example.target for example in train][:12] == [*range(10), 0, 1]
    assert (train[0].inputs[0].size, train[0].inputs[0].mode) == ((32, 32), "RGB")
    assert len({example.id for example in (*train, *test)}) == 120
    first = np.frombuffer((cifar_files / "data_batch_1.bin").read_bytes(), np.uint8)
    assert train[0].inputs[0].getpixel((1, 0)) == (first[2], first[2 + 1024], first[2 + 2048])


def test_cifar10_of_another_size_is_refused(cifar_files):
    with pytest.raises(DataError, match="100 images in train, where 50000 are published"):
        Cifar10().split("train")
    with pytest.raises(DataError, match="100 images in train, where 50000 are published"):
        Cifar10OnePercent().split("train")


def test_pickles_are_not_looked_at(tmp_path, monkeypatch):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    (folder / "data_batch_1").write_bytes(b"\x80\x04.")
    monkeypatch.setenv("TLBENCH_DATA", str(tmp_path))
    assert "cifar-10-batches-bin" in Cifar10().missing()
    with pytest.raises(DataError, match="set TLBENCH_DATA"):
        Cifar10().split("train")


def test_fashion_mnist_is_read_from_idx(tmp_path, monkeypatch):
    import gzip
    import struct

    folder = tmp_path / "fashion-mnist"
    folder.mkdir()
    draw = np.random.default_rng(0)
    for stem, count in (("train", 40), ("t10k", 20)):
        pixels = draw.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = np.arange(count, dtype=np.uint8) % 10
        images = struct.pack(">HBB3I", 0, 8, 3, count, 28, 28) + pixels.tobytes()
        (folder / f"{stem}-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
        (folder / f"{stem}-labels-idx1-ubyte").write_bytes(struct.pack(">HBBI", 0, 8, 1, count) + labels.tobytes())
    monkeypatch.setenv("TLBENCH_DATA", str(tmp_path))
    task = TinyFashion()
    assert task.missing() is None
    assert (len(task.split("train")), len(task.split("test")), task.split("validation")) == (40, 20, None)
    assert task.split("test")[3].target == 3
    assert task.split("test")[0].inputs[0].size == (28, 28)
    with pytest.raises(DataError, match="40 images in train, where 60000 are published"):
        FashionMnist().split("train")


def test_one_percent_is_drawn_from_the_whole_where_it_is_here(cifar_files, monkeypatch):
    from tlbench_data.images import image_tasks as module

    monkeypatch.setattr(module.Cifar10, "sizes", TinyCifar10.sizes)
    monkeypatch.setattr(module.Cifar10OnePercent, "sizes", MappingProxyType({"train": 50}))
    task = Cifar10OnePercent()
    drawn = task.split("train")
    assert np.bincount([example.target for example in drawn]).tolist() == [5] * 10
    assert len(task.split("test")) == 20
    whole = {example.id: example for example in Cifar10().split("train")}
    assert all(whole[e.id].inputs[0].tobytes() == e.inputs[0].tobytes() for e in drawn)
    with pytest.raises(DataError, match="cifar10_jpg"):
        Cifar10OnePercent(files="jpeg").split("train")


def test_hymenoptera_of_no_known_size_is_refused(tmp_path, monkeypatch):
    for split in ("train", "val"):
        for number, label in enumerate(("ants", "bees")):
            folder = tmp_path / "hymenoptera_data" / split / label
            folder.mkdir(parents=True)
            Image.new("RGB", (4, 4), (number, len(split), 0)).save(folder / "0.png")
    monkeypatch.setenv("TLBENCH_DATA", str(tmp_path))
    with pytest.raises(DataError, match="2 and 2 images, where 244 and 153 are published"):
        Hymenoptera().split("train")


def test_what_is_not_here_is_said_in_one_line(monkeypatch):
    monkeypatch.delenv("TLBENCH_DATA", raising=False)
    assert Digits().missing() is None
    for task in tasks():
        if task.name != "digits":
            assert task.missing().startswith(f"{task.name} is not here: set TLBENCH_DATA")
            assert "\n" not in task.missing()
            with pytest.raises(DataError, match="is not here"):
                task.split("train")
