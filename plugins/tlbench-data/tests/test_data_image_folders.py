"""Folders of images as people have them: other names of splits, odd files, links, and labels in a table."""

from __future__ import annotations

import dataclasses
import re
import unicodedata
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tlbench_data.images import image_checks
from tlbench_data.images.imagefolder import ImageFolder, resolve

from tlbench import DataError, ImageFile, UsageError
from tlbench.catalog.catalog import Catalog


def picture(path: Path, shade: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((4, 4), shade, dtype=np.uint8)).save(path)
    return path


def pictures(folder: Path, count: int = 10, start: int = 0) -> Path:
    for number in range(count):
        picture(folder / f"{number:02}.png", start + number)
    return folder


def two_classes(folder: Path, count: int = 10) -> Path:
    pictures(folder / "cat", count)
    pictures(folder / "dog", count, start=count)
    return folder


def task_of(folder: Path, params: str = "") -> ImageFolder:
    return Catalog.discover().task(f"imagefolder:{folder}{params}").item


def refused(folder: Path, params: str = "") -> str:
    task = task_of(folder, params)
    with pytest.raises(DataError) as caught:
        task.description  # noqa: B018
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("train", "other", "split"),
    [
        ("Train", "Test", "test"),
        ("Training", "Testing", "test"),
        ("TRAIN", "devel", "test"),
        ("train", "eval", "test"),
        ("seg_train/seg_train", "seg_test/seg_test", "test"),
    ],
)
def test_folders_of_splits_by_the_names_that_people_use(tmp_path, train, other, split):
    two_classes(tmp_path / train, 3)
    two_classes(tmp_path / other, 2)
    task = task_of(tmp_path)
    assert task.output.names == ("cat", "dog")
    assert task.sizes == {"train": 6, split: 4}
    assert f"train from {train}/, {split} from {other}/" in task.description


def test_one_split_in_two_spellings_is_refused(tmp_path):
    for name in ("Train", "train", "test"):
        two_classes(tmp_path / name, 1)
    with pytest.raises(DataError, match="train and Train are both named like the train split; rename one"):
        resolve(str(tmp_path))


def test_classes_that_look_like_splits_are_refused_unless_they_are_declared(tmp_path):
    two_classes(tmp_path / "train_images", 5)
    two_classes(tmp_path / "held_out", 5)
    message = refused(tmp_path)
    assert "train_images and held_out look like splits, because both hold cat, dog" in message
    assert "[labels=held_out+train_images]" in message
    assert task_of(tmp_path, "[labels=held_out+train_images]").sizes["train"] == 16


def test_classes_with_the_same_subfolders_are_classes(tmp_path):
    for label in ("cat", "dog"):
        two_classes(tmp_path / label, 5)
    assert task_of(tmp_path).output.names == ("cat", "dog")


def test_what_is_left_out_is_counted(tmp_path):
    two_classes(tmp_path)
    picture(tmp_path / "cat" / "more.jfif.jpg").rename(tmp_path / "cat" / "more.jfif")
    for number in range(3):
        (tmp_path / "cat" / f"{number}.HEIC").write_bytes(b"")
    (tmp_path / "cat" / "none").write_bytes(b"")
    (tmp_path / "cat" / ".DS_Store").write_bytes(b"")
    (tmp_path / "cat" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    pictures(tmp_path / "cat" / "@eaDir" / "00.png", 2)
    pictures(tmp_path / "dog" / "x.png", 2)
    picture(tmp_path / "beside.png")
    task = task_of(tmp_path)
    assert sum(task.sizes.values()) == 21
    left_out = task.description.partition("left out ")[2]
    assert left_out.startswith("9 (.heic 3, ")
    for reason in ("files without a suffix", "hidden files", "broken links", "hidden folders"):
        assert f"{reason} 1" in left_out
    assert "folders named like images 1" in left_out
    assert "images beside the class folders 1" in left_out


def test_folders_beside_the_splits_are_counted(tmp_path):
    two_classes(tmp_path / "train", 2)
    two_classes(tmp_path / "test", 2)
    pictures(tmp_path / "seg_pred", 2)
    assert "left out 1 (folders beside the splits 1)" in task_of(tmp_path).description


def test_a_linked_folder_is_followed_once(tmp_path):
    folder = two_classes(tmp_path / "pets")
    outside = pictures(tmp_path / "outside", 5, start=100)
    (outside / "round").symlink_to(outside)
    (folder / "cat" / "more").symlink_to(outside)
    (folder / "cat" / "again").symlink_to(outside)
    (folder / "dog" / "all").symlink_to(folder)
    task = task_of(folder, "[follow_links=true]")
    assert sum(task.sizes.values()) == 25
    assert "left out 3 (links to folders that are read anyway 3)" in task.description


def test_links_out_of_the_folder_are_left_out_and_said(tmp_path):
    folder = two_classes(tmp_path / "pets")
    outside = pictures(tmp_path / "outside", 5, start=100)
    (folder / "cat" / "more").symlink_to(outside)
    (folder / "dog" / "own.png").symlink_to(outside / "00.png")
    (folder / "fish").symlink_to(outside)
    with pytest.raises(DataError, match=r"fish: contains no image .*: \[follow_links=true\] follows them"):
        task_of(folder).output  # noqa: B018
    (folder / "fish").unlink()
    assert "links out of the folder, which follow_links=true reads 2" in task_of(folder).description
    assert [sum(task_of(folder, how).sizes.values()) for how in ("", "[follow_links=true]")] == [20, 26]


def test_how_images_are_opened_is_said(tmp_path):
    two_classes(tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("L", (4, 8), 1).save(tmp_path / "cat" / "turned.jpg", exif=exif)
    for number in range(2):
        Image.new("LA", (4, 4), (number, 0)).save(tmp_path / "cat" / f"clear{number}.png")
    Image.fromarray(np.full((4, 4), 700, dtype=np.uint16)).save(tmp_path / "dog" / "deep.png")
    description = task_of(tmp_path).description
    for note in ("1 turned as their EXIF says", "2 with transparent parts, laid on white", "1 of 16 bits, scaled to 8"):
        assert note in description


def test_images_that_cannot_be_read_are_counted_before_anything_runs(tmp_path):
    two_classes(tmp_path, 20)
    for number in range(12):
        (tmp_path / "cat" / f"{number:02}.png").write_bytes(b"")
    Image.new("L", (100_000, 1)).save(tmp_path / "dog" / "strip.png")
    message = refused(tmp_path)
    assert message.startswith("13 of 41 images cannot be read ([skip_unreadable=true] leaves them out), the first is ")
    # Ten of them are named, of the splits in their order.
    assert message.count(".png") == 10
    assert message.endswith(" and 3 more")
    lenient = task_of(tmp_path, "[skip_unreadable=true]")
    assert sum(lenient.sizes.values()) == 28
    assert "left out 13 (cannot be read 13)" in lenient.description


def test_a_class_that_is_in_the_test_alone_can_be_declared(tmp_path):
    two_classes(tmp_path / "train", 3)
    pictures(two_classes(tmp_path / "test", 2) / "fox", 1, start=50)
    assert "test: the class 'fox' is not in train/; remove its folder, or declare" in refused(tmp_path)
    assert "[labels=cat+dog+fox]" in refused(tmp_path)
    task = task_of(tmp_path, "[labels=dog+cat+fox]")
    assert task.output.names == ("dog", "cat", "fox")
    assert [example.target for example in task.split("test")] == [1, 1, 0, 0, 2]
    assert "train has no image of fox" in task.description
    assert "the class 'fox' is not in labels=cat+dog" in refused(tmp_path, "[labels=cat+dog]")


def test_an_empty_class_folder(tmp_path):
    for folder, empty in ((tmp_path / "a", "test"), (tmp_path / "b", "train")):
        two_classes(folder / "train", 3)
        two_classes(folder / "test", 2)
        (folder / empty / "fox").mkdir()
    assert task_of(tmp_path / "a").output.names == ("cat", "dog")
    message = refused(tmp_path / "b")
    assert "fox: contains no image" in message
    assert "remove the folder, or declare the classes with [labels=cat+dog+fox]" in message
    assert task_of(tmp_path / "b", "[labels=cat+dog+fox]").output.names == ("cat", "dog", "fox")


@pytest.mark.parametrize("labels", ["cat", "cat+cat", "cat++dog"])
def test_labels_that_are_no_list_of_classes_are_refused(tmp_path, labels):
    with pytest.raises(UsageError, match="give two or more different classes, as a"):
        dataclasses.replace(task_of(two_classes(tmp_path)), labels=labels)


def test_one_class_in_two_unicode_forms(tmp_path):
    composed, apart = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    for folder in (tmp_path / "train" / composed, tmp_path / "train" / "tea", tmp_path / "test" / apart):
        pictures(folder, 2)
    task = task_of(tmp_path)
    assert task.output.names == (composed, "tea")
    assert [example.target for example in task.split("test")] == [0, 0]
    assert f"folders in two Unicode forms are one class: {composed}" in task.description


def test_labels_in_a_table(tmp_path):
    pictures(tmp_path, 20)
    rows = [f"{number:02}.png,{'ab'[number % 2]}" for number in range(20)]
    table = tmp_path / "labels.csv"
    table.write_text("\n".join(["file_name,label", *rows[:18]]))
    assert "[labels=labels.csv] (labels.csv is there)" in refused(tmp_path)
    task = task_of(tmp_path, "[labels=labels.csv]")
    assert task.output.names == ("a", "b")
    assert task.sizes == {"train": 14, "validation": 2, "test": 2}
    targets = {example.id: example.target for name in task.sizes for example in task.split(name)}
    assert targets == {f"{number:02}.png": number % 2 for number in range(18)}
    assert "left out 2 (images that labels.csv does not name 2); labels from labels.csv" in task.description
    # The name fixes what the table holds.
    pinned = Catalog.discover().task(f"imagefolder:{tmp_path}[labels=labels.csv]").ref.name
    assert Catalog.discover().task(pinned).item == task
    table.write_text("\n".join(["file_name,label", *rows]))
    with pytest.raises(UsageError, match="its digest is now"):
        Catalog.discover().task(pinned)


def test_labels_in_a_table_by_stems_and_splits(tmp_path):
    pictures(tmp_path / "images", 4)
    rows = ["id,breed,split", "images/02,9,Test", "00,10,Train", "01,9,training", "images\\03.png,10,test"]
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    task = task_of(tmp_path, "[labels=labels.csv]")
    assert task.output.names == ("9", "10")
    assert task.sizes == {"train": 2, "test": 2}
    assert "2 train, 2 test" in task.description
    assert [example.target for example in task.split("train")] == [1, 0]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["file,label", "00.png,a", "99.png,b"], r"1 of 2 rows name no image in .*: 99\.png"),
        (["file,label", "00.png,a", "00.png,b"], r"line 3: 00\.png has a label in an earlier row"),
        (["x,y,z", "00.png,a,b"], "its columns are x, y, z; call one of them file_name and the one of classes label"),
        (["file,label", "00.png,a", "01.png,a"], "every image has the label 'a'"),
        (["file,label,split", "00.png,a,extra"], "split is 'extra', which is none of train, validation, test"),
        (["file,label,split", "00.png,a,train"], "the column split names train; it must name train and test"),
    ],
)
def test_a_table_of_labels_that_cannot_be_used_is_one_line(tmp_path, rows, words):
    pictures(tmp_path, 3)
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    assert re.search(words, refused(tmp_path, "[labels=labels.csv]"))


def test_a_zip_made_on_windows(tmp_path, monkeypatch):
    monkeypatch.setenv("TLBENCH_CACHE", str(tmp_path / "cache"))
    folder = two_classes(tmp_path / "pets")
    with zipfile.ZipFile(tmp_path / "pets.zip", "w") as archive:
        archive.writestr("pets\\cat\\", "")
        for path in sorted(folder.rglob("*.png")):
            archive.writestr(str(path.relative_to(tmp_path)).replace("/", "\\"), path.read_bytes())
    task = task_of(tmp_path / "pets.zip")
    assert task.split("train").fingerprint == task_of(folder).split("train").fingerprint


def test_a_table_of_image_files_is_not_taken_for_texts(tmp_path):
    pictures(tmp_path, 20)
    rows = ["file_name,label", *(f"{number:02}.png,{'ab'[number % 2]}" for number in range(20))]
    for folder, where in ((tmp_path, f"{tmp_path}[labels=t.csv]"), (tmp_path / "far", "FOLDER[labels=")):
        folder.mkdir(exist_ok=True)
        (folder / "t.csv").write_text("\n".join(rows))
        task = Catalog.discover().task(f"csv:{folder / 't.csv'}").item
        with pytest.raises(DataError, match="file_name holds the names of image files") as caught:
            task.output  # noqa: B018
        assert f"imagefolder:{where}" in str(caught.value)
        assert "[text=file_name] from their names" in str(caught.value)
    assert dataclasses.replace(task, text="file_name").sizes["train"] == 16


def test_images_are_decoded_once_for_all_commands(tmp_path, monkeypatch):
    monkeypatch.setenv("TLBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(image_checks, "MIN_IMAGES", 21)
    folder = two_classes(tmp_path / "pets")
    Image.new("LA", (4, 4), (9, 0)).save(folder / "cat" / "clear.png")
    (folder / "dog" / "ruin.png").write_bytes(b"")
    task = task_of(folder, "[skip_unreadable=true]")
    first = task.description
    assert "1 with transparent parts" in first
    (file,) = (tmp_path / "cache" / "checked-images").iterdir()
    tried = []
    read = ImageFile.read

    def counted(path, digest):
        tried.append(path.name)
        return read(path, digest)

    monkeypatch.setattr(ImageFile, "read", counted)
    image_checks._decoded_once.cache_clear()
    assert task.description == first
    # What could not be read is tried again: its message has a path, and the folder may have moved.
    assert tried == ["ruin.png"]
    for content in ("no JSON", "[]", '{"0": ["other"]}', '{"0": 1}'):
        tried.clear()
        file.write_text(content)
        image_checks._decoded_once.cache_clear()
        assert task.description == first
        assert len(tried) == 22


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("a file where a folder should be")
    monkeypatch.setenv("TLBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(image_checks, "MIN_IMAGES", 20)
    assert task_of(two_classes(tmp_path / "pets")).sizes["train"] == 16
