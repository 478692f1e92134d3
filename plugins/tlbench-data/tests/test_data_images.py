"""Readers of image files: IDX, CIFAR, and folders of images."""

from __future__ import annotations

import gzip
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tlbench_data.images.cifar10 import read_cifar
from tlbench_data.images.idx import read_idx, read_labelled
from tlbench_data.images.image_checks import examples_of
from tlbench_data.images.image_folders import list_images
from tlbench_data.images.imagefolder import resolve
from tlbench_data.plugin import tlbench_resolve

from tlbench import Classes, DataError, ImageFile, UsageError


def write_idx(path: Path, values: np.ndarray, *, kind: int = 0x08, missing: int = 0, extra: bytes = b"") -> Path:
    head = struct.pack(f">HBB{values.ndim}I", 0, kind, values.ndim, *values.shape)
    content = head + values.astype(np.uint8).tobytes()
    content = content[: len(content) - missing] + extra
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def write_images(folder: Path, counts: dict[str, int], start: int = 0) -> Path:
    """Writes the given number of distinct 6x5 images into a folder for each class."""
    shade = start
    for label, count in counts.items():
        (folder / label).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            pixels = np.full((5, 6, 3), shade % 256, dtype=np.uint8)
            pixels[0, 0] = shade // 256
            Image.fromarray(pixels).save(folder / label / f"{number:03}.png")
            shade += 1
    return folder


def write_rows(path: Path, labels: list[int]) -> Path:
    rows = [bytes([label]) + bytes([(label * 20 + i // 1024) % 256 for i in range(3072)]) for label in labels]
    path.write_bytes(b"".join(rows))
    return path


@pytest.mark.parametrize("name", ["images", "images.gz"])
def test_idx_is_read_packed_and_not(tmp_path, name):
    values = np.arange(24).reshape(2, 3, 4)
    assert np.array_equal(read_idx(write_idx(tmp_path / name, values)), values)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": 0x0D}, "not an IDX file of bytes: it begins with 00000d03"),
        ({"missing": 1}, "ends too early: 23 bytes where 24 are expected"),
        ({"missing": 34}, "ends too early: 2 bytes where 12 are expected"),
        ({"extra": b"x"}, r"longer than its declared shape \(2, 3, 4\)"),
    ],
)
@pytest.mark.parametrize("name", ["images", "images.gz"])
def test_idx_that_is_not_what_it_says_is_refused(tmp_path, name, change, words):
    path = write_idx(tmp_path / name, np.arange(24).reshape(2, 3, 4), **change)
    with pytest.raises(DataError, match=words) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_idx_that_claims_too_much_is_not_unpacked(tmp_path):
    path = tmp_path / "images"
    path.write_bytes(struct.pack(">HBB3I", 0, 8, 3, 60_000, 2_000, 2_000))
    with pytest.raises(DataError, match="more than"):
        read_idx(path)


def test_packed_idx_that_is_not_packed_is_refused(tmp_path):
    (tmp_path / "images.gz").write_bytes(b"no gzip at all")
    with pytest.raises(DataError, match="cannot be read"):
        read_idx(tmp_path / "images.gz")
    whole = write_idx(tmp_path / "whole.gz", np.arange(240).reshape(10, 4, 6)).read_bytes()
    (tmp_path / "cut.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="cannot be read"):
        read_idx(tmp_path / "cut.gz")


def test_images_and_labels_must_belong_together(tmp_path):
    images = write_idx(tmp_path / "images", np.zeros((3, 2, 2)))
    few, wrong = write_idx(tmp_path / "few", np.zeros(2)), write_idx(tmp_path / "wrong", np.array([0, 7, 1]))
    with pytest.raises(DataError, match=r"holds 3 images, but .* 2 labels"):
        read_labelled(images, few, 2)
    with pytest.raises(DataError, match="row 2: label 7, but there are 2 classes"):
        read_labelled(images, wrong, 2)
    with pytest.raises(DataError, match="not images and labels"):
        read_labelled(few, few, 2)


def test_cifar_rows_are_planes_of_colour(tmp_path):
    first, second = write_rows(tmp_path / "a.bin", [3, 1]), write_rows(tmp_path / "b.bin", [9])
    pixels, labels = read_cifar([first, second])
    assert labels.tolist() == [3, 1, 9]
    assert pixels.shape == (3, 32, 32, 3)
    assert pixels[0, 31, 31].tolist() == [60, 61, 62]


def test_cifar_files_that_are_not_rows_are_refused(tmp_path):
    path = write_rows(tmp_path / "a.bin", [3, 11])
    with pytest.raises(DataError, match="row 2: label 11"):
        read_cifar([path])
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match="not a number of rows"):
        read_cifar([path])
    with pytest.raises(DataError, match="No such file"):
        read_cifar([tmp_path / "gone.bin"])


def test_a_folder_without_splits_is_drawn_into_them(tmp_path):
    folder = write_images(tmp_path / "pets", {"dog": 20, "cat": 30})
    task = resolve(str(folder))
    assert task.output == Classes(("cat", "dog"))
    splits = {name: task.split(name) for name in ("train", "validation", "test")}
    assert {name: len(examples) for name, examples in splits.items()} == {"train": 40, "validation": 5, "test": 5}
    assert [sum(e.target for e in examples) for examples in splits.values()] == [16, 2, 2]
    assert task.split("unlabeled") is None
    ids = [example.id for examples in splits.values() for example in examples]
    assert len(set(ids)) == 50
    assert {identity.split("/")[0] for identity in ids} == {"cat", "dog"}
    image = splits["train"][0].inputs[0]
    assert isinstance(image, ImageFile)
    assert image.open().size == (6, 5)
    assert "drawn by seed 0, stratified by class" in task.description


def test_equal_images_stay_on_one_side(tmp_path):
    folder = write_images(tmp_path / "pets", {"cat": 10, "dog": 10})
    for number in range(10):
        twin = (folder / "cat" / f"{number:03}.png").read_bytes()
        (folder / "cat" / f"twin-{number}.png").write_bytes(twin)
    task = resolve(str(folder))
    digests = [{e.inputs[0].digest for e in task.split(name)} for name in ("train", "validation", "test")]
    assert sum(len(d) for d in digests) == len(set.union(*digests)) == 20


def test_folders_of_splits_are_taken_as_they_are(tmp_path):
    write_images(tmp_path / "train", {"b": 3, "a": 2})
    write_images(tmp_path / "val", {"a": 1, "b": 1}, start=50)
    task = resolve(str(tmp_path))
    assert task.output == Classes(("a", "b"))
    assert task.split("validation") is None
    assert [e.id for e in task.split("test")] == ["test/a/000.png", "test/b/000.png"]
    assert "test from val/" in task.description
    write_images(tmp_path / "test", {"a": 2}, start=90)
    task = resolve(str(tmp_path))
    assert [len(task.split(name)) for name in ("train", "validation", "test")] == [5, 2, 2]


def test_the_name_is_pinned_to_the_content(tmp_path):
    folder = write_images(tmp_path / "pets", {"dog": 10, "cat": 10})
    task = resolve(str(folder))
    pinned = task.name.removeprefix("imagefolder:")
    assert pinned.startswith(f"{folder}@")
    assert resolve(pinned) == task
    Image.new("RGB", (3, 3), "red").save(folder / "dog" / "000.png")
    changed = resolve(str(folder))
    assert changed.name != task.name
    with pytest.raises(DataError, match=r"its digest is now"):
        resolve(pinned)


def test_the_scheme_is_found_by_the_plugin(tmp_path):
    folder = write_images(tmp_path / "pets", {"dog": 10, "cat": 10})
    assert tlbench_resolve("task", f"imagefolder:{folder}") == resolve(str(folder))
    assert tlbench_resolve("backbone", f"imagefolder:{folder}") is None


def test_an_archive_serves_as_a_folder(tmp_path):
    folder = write_images(tmp_path / "pets", {"dog": 10, "cat": 10})
    with zipfile.ZipFile(tmp_path / "pets.zip", "w") as archive:
        for path in sorted(folder.rglob("*.png")):
            archive.write(path, path.relative_to(tmp_path))
    task = resolve(str(tmp_path / "pets.zip"))
    assert task.split("train").fingerprint == resolve(str(folder)).split("train").fingerprint


def test_images_that_cannot_be_read_are_counted_and_refused(tmp_path, caplog):
    import dataclasses

    write_images(tmp_path / "train", {"a": 4, "b": 4})
    write_images(tmp_path / "test", {"a": 1, "b": 1}, start=50)
    broken = tmp_path / "train" / "a" / "001.png"
    broken.write_bytes(broken.read_bytes()[:60])
    (tmp_path / "train" / "b" / "002.png").write_text("no picture")
    task = resolve(str(tmp_path))
    with pytest.raises(DataError, match=r"2 of 8 images cannot be read \(\[skip_unreadable=true\]") as caught:
        task.split("train")
    assert str(broken) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(task.split("test")) == 2
    lenient = dataclasses.replace(task, skip_unreadable=True)
    assert [e.id for e in lenient.split("train")][:2] == ["train/a/000.png", "train/a/002.png"]
    assert len(lenient.split("train")) == 6
    assert "left out 2 of 8 images" in caplog.text
    assert "left out" in lenient.description


def test_a_name_that_would_command_a_terminal_is_logged_escaped(tmp_path, caplog):
    files = list_images(write_images(tmp_path, {"a": 1, "b": 2}))
    (tmp_path / "b" / "\x1b[2J.png").write_text("no picture")
    assert len(examples_of(list_images(tmp_path), ("a", "b"), skip_unreadable=True)) == len(files)
    assert r"\x1b[2J.png" in caplog.messages[0]
    assert caplog.messages[0].isprintable()


def test_one_class_that_is_left_to_train_on_is_refused(tmp_path):
    import dataclasses

    write_images(tmp_path / "train", {"a": 2, "b": 1})
    write_images(tmp_path / "test", {"a": 1, "b": 1}, start=50)
    (tmp_path / "train" / "b" / "000.png").write_text("no picture")
    task = dataclasses.replace(resolve(str(tmp_path)), skip_unreadable=True)
    with pytest.raises(DataError, match="only the class 'a' is left to train on"):
        task.split("train")


def test_hidden_files_and_what_macos_adds_do_not_count(tmp_path):
    folder = write_images(tmp_path / "pets", {"cat": 10, "dog": 10})
    name = resolve(str(folder)).name
    (folder / "cat" / "._000.png").write_text("no picture")
    write_images(folder / "cat", {".thumbnails": 1})
    write_images(folder, {"__MACOSX": 1})
    assert resolve(str(folder)).name == name


def test_an_archive_that_is_a_link_without_a_suffix_behind_it(tmp_path):
    folder = write_images(tmp_path / "pets", {"dog": 10, "cat": 10})
    with zipfile.ZipFile(tmp_path / "0123abcd", "w") as archive:
        for path in sorted(folder.rglob("*.png")):
            archive.write(path, path.relative_to(tmp_path))
    (tmp_path / "pets.zip").symlink_to(tmp_path / "0123abcd")
    assert resolve(str(tmp_path / "pets.zip")).output == Classes(("cat", "dog"))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: None, "contains no folders"),
        (lambda folder: (folder / "cat").mkdir(), "contains no image"),
        (lambda folder: write_images(folder, {"cat": 3}), "only the class 'cat'"),
        (
            lambda folder: (write_images(folder / "train", {"a": 2, "b": 2}), write_images(folder / "test", {"c": 2})),
            "the class 'c' is not in train/",
        ),
    ],
)
def test_a_folder_that_is_no_task_is_one_line(tmp_path, make, words):
    make(tmp_path)
    task = resolve(str(tmp_path))
    with pytest.raises(DataError, match=words) as caught:
        task.output  # noqa: B018
    assert "\n" not in str(caught.value)


def test_what_is_no_folder_is_one_line(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        resolve(str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match="no such folder"):
        resolve(f"{tmp_path / 'nowhere'}@0123456789ab")
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(DataError, match="this is a file; give a folder"):
        resolve(str(tmp_path / "a.png"))


def test_a_seed_that_cannot_be_is_one_line(tmp_path):
    import dataclasses

    task = resolve(str(write_images(tmp_path / "pets", {"dog": 10, "cat": 10})))
    with pytest.raises(UsageError, match=r"pets@.*: split_seed=-1: a seed must be at least 0"):
        dataclasses.replace(task, split_seed=-1)


def test_a_folder_that_went_is_missing(tmp_path):
    import shutil

    folder = write_images(tmp_path / "pets", {"dog": 10, "cat": 10})
    task = resolve(str(folder))
    assert task.missing() is None
    shutil.rmtree(folder)
    assert task.missing() == f"{folder} does not exist any more"
