"""Your own annotated images in four forms: what is read, and the faults of each in one line with file and object."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tlbench_dense.sources.dense_task import AnnotatedFolder, resolve
from tlbench_dense.standalone.box_texts import Box
from tlbench_dense.standalone.class_runs import IGNORED, decoded

from tlbench import DataError, UsageError
from tlbench.testing.conformance import TaskConformance

SIZE = (20, 10)


def picture(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def coco(folder: Path, change=lambda content: content, splits=("train", "val", "test")) -> Path:
    for number, split in enumerate(splits):
        images = [{"id": i, "file_name": f"{split}{i}.png"} for i in (1, 2)]
        annotations = [
            {"id": 7, "image_id": 1, "category_id": 30, "bbox": [2, 1, 5, 4], "iscrowd": 0, "area": 20,
             "segmentation": [[2, 1, 7, 1, 7, 5, 2, 5]]},
            {"id": 8, "image_id": 1, "category_id": 10, "bbox": [10, 2, 6.5, 6], "iscrowd": 1, "area": 39,
             "segmentation": {"size": [10, 20], "counts": [100, 20, 80]}},
        ]  # fmt: skip
        content = {
            "images": images, "annotations": annotations,
            "categories": [{"id": 30, "name": "dog"}, {"id": 10, "name": "cat"}],
        }  # fmt: skip
        (folder / "annotations").mkdir(parents=True, exist_ok=True)
        (folder / "annotations" / f"instances_{split}2017.json").write_text(json.dumps(change(content)))
        for i in (1, 2):
            picture(folder / f"{split}2017" / f"{split}{i}.png", 10 * number + i)
    return folder


def voc(folder: Path, box="<xmin>3</xmin><ymin>2</ymin><xmax>7</xmax><ymax>5</ymax>", name="dog", head="") -> Path:
    for number, split in enumerate(("train", "val", "test")):
        stems = [f"{split}{i}" for i in (1, 2)]
        (folder / "ImageSets" / "Main").mkdir(parents=True, exist_ok=True)
        (folder / "ImageSets" / "Main" / f"{split}.txt").write_text("\n".join(stems))
        (folder / "Annotations").mkdir(exist_ok=True)
        for i, stem in enumerate(stems):
            picture(folder / "JPEGImages" / f"{stem}.png", 10 * number + i)
            difficult = "<difficult>1</difficult>" if i else ""
            found = f"<object><name>{name}</name>{difficult}<bndbox>{box}</bndbox></object>"
            (folder / "Annotations" / f"{stem}.xml").write_text(f"{head}<annotation>{found}</annotation>")
    return folder


def yolo(folder: Path, line="1 0.25 0.5 0.1 0.4") -> Path:
    for number, split in enumerate(("train", "val", "test")):
        for i in (1, 2):
            picture(folder / "images" / split / f"{i}.png", 10 * number + i)
        (folder / "labels" / split).mkdir(parents=True)
        (folder / "labels" / split / "1.txt").write_text(f"0 0.5 0.5 0.5 0.5\n{line}\n")
    (folder / "data.yaml").write_text("names:\n  0: cat\n  1: dog\n")
    return folder


def masks(folder: Path, mode="L", value=2, size=SIZE) -> Path:
    for number, split in enumerate(("train", "val", "test")):
        (folder / split / "masks").mkdir(parents=True)
        for i in (1, 2):
            picture(folder / split / "images" / f"{i}.jpg", 10 * number + i)
            classes = np.zeros((size[1], size[0]), dtype=np.uint8)
            classes[2:5, 3:9], classes[8:, :] = value, IGNORED
            image = Image.fromarray(classes)
            if mode == "P":
                image = image.copy()
                image.putpalette([channel for index in range(256) for channel in (index, 255 - index, 3 * index % 256)])
            (image if mode in "LP" else image.convert(mode)).save(folder / split / "masks" / f"{i}.png")
    (folder / "classes.txt").write_text("ground\ncat\ndog\n")
    return folder


def task_of(scheme: str, folder: Path, **options) -> AnnotatedFolder:
    return AnnotatedFolder(resolve(scheme, str(folder)).name, **options)


def test_coco_is_read(tmp_path):
    task = task_of("coco", coco(tmp_path))
    assert task.output.classes == ("cat", "dog")
    first, second = task.split("test")
    assert first.target == (Box(1, 2, 1, 7, 5), Box(0, 10, 2, 16.5, 8, crowd=True))
    assert second.target == ()
    assert task.metrics[0] == "coco_map"
    drawn = task_of("coco", tmp_path, kind="masks")
    assert drawn.output.classes == ("background", "cat", "dog")
    classes = decoded(drawn.split("train")[0].target)
    assert classes[2, 4] == 2
    # The crowd's run lengths go down the columns, the eleventh and the twelfth.
    assert (classes[:, 10:12] == IGNORED).all()
    assert (classes == IGNORED).sum() == 20


def test_voc_is_read(tmp_path):
    task = task_of("voc", voc(tmp_path))
    assert len(task.output.classes) == 20
    label = task.output.classes.index("dog")
    assert [example.target for example in task.split("validation")] == [
        (Box(label, 2, 1, 7, 5),), (Box(label, 2, 1, 7, 5, crowd=True),)
    ]  # fmt: skip


def test_yolo_is_read(tmp_path):
    task = task_of("yolo", yolo(tmp_path))
    first, second = task.split("train")
    assert first.target == (Box(0, 5, 2.5, 15, 7.5), Box(1, 4, 3, 6, 7))
    assert second.target == ()


@pytest.mark.parametrize("mode", ["L", "P"])
def test_maps_are_read_from_grey_and_palette(tmp_path, mode):
    task = task_of("masks", masks(tmp_path, mode))
    classes = decoded(task.split("train")[0].target)
    assert classes.shape == (10, 20)
    assert (classes[2:5, 3:9] == 2).all()
    assert (classes[8:] == IGNORED).all()
    assert task.output.class_indices(task.split("train")[0].target) == {0, 2}


FAULTS = {
    "outside": (
        lambda f: coco(f, _box([15, 1, 9, 4])),
        "coco",
        ["instances_train2017.json: annotation 7 of", "leaves the image of 20x10"],
    ),
    "no area": (lambda f: coco(f, _box([2, 1, 0, 4])), "coco", ["annotation 7", "has no area"]),
    "no box": (lambda f: coco(f, _box([2, 1])), "coco", ["annotation 7", "bbox is [2, 1]"]),
    "category": (lambda f: coco(f, _set(category_id=99)), "coco", ["annotation 7", "no category has the id 99"]),
    "no image": (lambda f: coco(f, _set(image_id=99)), "coco", ["annotation 7", "no image has the id 99"]),
    "lost image": (
        lambda f: _without(coco(f), "train2017/train1.png"),
        "coco",
        ["image 1", "train1.png does not exist"],
    ),
    "not json": (
        lambda f: _written(coco(f), "annotations/instances_val2017.json", "{"),
        "coco",
        ["val2017.json: not JSON"],
    ),
    "no form": (lambda f: _written(coco(f), "annotations/instances_val2017.json", "[]"), "coco", ["no list of images"]),
    "two trains": (lambda f: _written(coco(f), "train.json", "{}"), "coco", ["same split"]),
    "way out": (lambda f: coco(f, _named("../../../etc/passwd")), "coco", ["image 1", "lies outside of"]),
    "voc class": (
        lambda f: _written(voc(f, name="unicorn"), "classes.txt", "cat\ndog"),
        "voc",
        ["train1.xml: object 1", "'unicorn'"],
    ),
    "voc number": (
        lambda f: voc(f, box="<xmin>a</xmin><ymin>2</ymin><xmax>7</xmax><ymax>5</ymax>"),
        "voc",
        ["train1.xml: object 1: xmin: 'a'"],
    ),
    "voc outside": (
        lambda f: voc(f, box="<xmin>3</xmin><ymin>2</ymin><xmax>7</xmax><ymax>15</ymax>"),
        "voc",
        ["train1.xml: object 1 of train1.png", "leaves"],
    ),
    "voc zero": (
        lambda f: voc(f, box="<xmin>8</xmin><ymin>2</ymin><xmax>7</xmax><ymax>5</ymax>"),
        "voc",
        ["train1.xml: object 1 of train1.png", "has no area"],
    ),
    "voc lost image": (lambda f: _without(voc(f), "JPEGImages/train2.png"), "voc", ["train2.xml", "train2"]),
    "voc entities": (
        lambda f: voc(f, head='<!DOCTYPE a [<!ENTITY b "bbbb">]>'),
        "voc",
        ["train1.xml: XML with a document type"],
    ),
    "voc not xml": (lambda f: _written(voc(f), "Annotations/train2.xml", "<a>"), "voc", ["train2.xml: not XML"]),
    "voc lost": (lambda f: _without(voc(f), "Annotations/train2.xml"), "voc", ["train2.xml: cannot be read"]),
    "yolo class": (
        lambda f: yolo(f, "5 0.5 0.5 0.1 0.1"),
        "yolo",
        ["train/1.txt: line 2", "'5' is none of the 2 classes"],
    ),
    "yolo fields": (lambda f: yolo(f, "1 0.5 0.5"), "yolo", ["1.txt: line 2: 3 fields"]),
    "yolo number": (lambda f: yolo(f, "1 0.5 x 0.1 0.1"), "yolo", ["1.txt: line 2: 'x' is not a number"]),
    "yolo outside": (lambda f: yolo(f, "1 0.95 0.5 0.5 0.1"), "yolo", ["1.txt: line 2", "leaves the image"]),
    "yolo zero": (lambda f: yolo(f, "1 0.5 0.5 0 0.1"), "yolo", ["1.txt: line 2", "has no area"]),
    "yolo alone": (lambda f: _written(yolo(f), "labels/train/9.txt", ""), "yolo", ["9.txt: there is no image"]),
    "yolo names": (lambda f: _without(yolo(f), "data.yaml"), "yolo", ["the classes have no names"]),
    "mask size": (
        lambda f: masks(f, size=(21, 10)),
        "masks",
        ["masks/1.png: a map of 21x10 pixels for an image of 20x10"],
    ),
    "mask class": (lambda f: masks(f, value=9), "masks", ["masks/1.png: the pixel at (3, 2) has the class 9"]),
    "mask colour": (lambda f: masks(f, mode="RGB"), "masks", ["masks/1.png: its pixels are RGB"]),
    "mask lost": (
        lambda f: _without(masks(f), "train/masks/2.png"),
        "masks",
        ["masks/2.png: the map of this image is missing"],
    ),
    "image lost": (
        lambda f: _without(masks(f), "train/images/2.jpg"),
        "masks",
        ["2.png: there is no image of this name"],
    ),
    "mask damaged": (lambda f: _written(masks(f), "train/masks/1.png", "PNG"), "masks", ["masks/1.png: not a PNG"]),
}


def _box(box):
    return _set(bbox=box)


def _set(**values):
    def change(content):
        content["annotations"][0].update(values)
        return content

    return change


def _named(name):
    def change(content):
        content["images"][0]["file_name"] = name
        return content

    return change


def _without(folder: Path, name: str) -> Path:
    (folder / name).unlink()
    return folder


def _written(folder: Path, name: str, content: str) -> Path:
    (folder / name).write_text(content)
    return folder


def _read(scheme: str, folder: Path) -> None:
    task = task_of(scheme, folder)
    assert task.output.classes
    task.split("train")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_line_with_file_and_object(tmp_path, fault):
    make, scheme, parts = FAULTS[fault]
    with pytest.raises(DataError) as caught:
        _read(scheme, make(tmp_path))
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message


def test_faults_are_left_out_or_cut_where_that_is_asked_for(tmp_path):
    coco(tmp_path, _box([15, 1, 9, 4]))
    assert task_of("coco", tmp_path, faults="leave-out").split("train")[0].target == (
        Box(0, 10, 2, 16.5, 8, crowd=True),
    )
    cut = task_of("coco", tmp_path, faults="clip")
    assert cut.split("train")[0].target[0] == Box(1, 15, 1, 20, 5)
    assert cut.reading_notes == ("3 boxes cut to their image",)
    with pytest.raises(DataError, match="no area"):
        task_of("coco", coco(tmp_path / "b", _box([2, 1, 0, 4])), faults="clip").split("train")


def test_a_folder_without_splits_is_divided_and_pinned(tmp_path):
    coco(tmp_path, splits=("all",))
    (tmp_path / "annotations" / "instances_all2017.json").rename(tmp_path / "annotations" / "labels.json")
    for i in range(3, 21):
        picture(tmp_path / "images" / f"{i}.png", 100 + i)
    file = tmp_path / "annotations" / "labels.json"
    content = json.loads(file.read_text())
    for i, image in enumerate(content["images"]):
        image["file_name"] = f"all2017/all{i + 1}.png"
    content["images"] += [{"id": i, "file_name": f"{i}.png"} for i in range(3, 21)]
    file.write_text(json.dumps(content))
    task = task_of("coco", tmp_path)
    sizes = {split: len(task.split(split)) for split in ("train", "validation", "test")}
    assert sizes == {"train": 14, "validation": 2, "test": 4}
    picture(tmp_path / "images" / "3.png", 999)
    with pytest.raises(DataError, match="its digest is now"):
        resolve("coco", task.name.partition(":")[2])


def test_options_without_an_effect_are_refused(tmp_path):
    coco(tmp_path)
    with pytest.raises(UsageError, match="fcos, retinanet or faster-rcnn"):
        task_of("coco", tmp_path, decoder="fpn")
    with pytest.raises(UsageError, match="window= is for masks"):
        task_of("coco", tmp_path, window=64)
    with pytest.raises(DataError, match="YOLO's files have boxes"):
        _ = task_of("yolo", yolo(tmp_path / "y"), kind="masks").output
    with pytest.raises(DataError, match="masks have no boxes"):
        _ = task_of("masks", masks(tmp_path / "m"), kind="boxes").output


class TestOwnImages(TaskConformance):
    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def own(cls, tmp_path_factory):
        cls.task = task_of("yolo", yolo(tmp_path_factory.mktemp("own")))
        yield
        del cls.task


def test_a_segmentation_that_cannot_be_drawn_is_named(tmp_path):
    shape = {"size": [10, 20], "counts": [100, 20]}
    task = task_of("coco", coco(tmp_path, _set(segmentation=shape)), kind="masks")
    with pytest.raises(DataError, match=r"train2017.json: annotation 7: run lengths of 120 pixels for 200"):
        task.split("train")
