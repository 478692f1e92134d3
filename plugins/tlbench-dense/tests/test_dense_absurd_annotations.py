"""Annotations that no tool should write: each is refused in one line with file and object, in every form."""

import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from tlbench_dense.sources.coco_shapes import run_lengths
from tlbench_dense.sources.dense_task import AnnotatedFolder, resolve
from tlbench_dense.sources.png_maps import map_in_file
from tlbench_dense.standalone.box_texts import Box
from tlbench_dense.standalone.class_runs import decoded

from tlbench import DataError

HUGE = 10**400


def png(path: Path, pixels: np.ndarray, bits: int = 8, colour: int = 0) -> None:
    """Writes a PNG of few bits, which Pillow does not write in grey."""
    height, width = pixels.shape
    digits = ((pixels[..., None] >> np.arange(bits)[::-1]) & 1).astype(np.uint8).reshape(height, width * bits)
    rows = b"".join(b"\0" + row.tobytes() for row in np.packbits(digits, axis=1))
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    parts = [(b"IHDR", head), (b"PLTE", bytes(3 * 2**bits)), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    path.parent.mkdir(parents=True, exist_ok=True)
    chunks = [part for part in parts if part[0] != b"PLTE" or colour == 3]
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(struct.pack(">I", len(x)) + kind + x + struct.pack(">I", zlib.crc32(kind + x)) for kind, x in chunks)
    )


def picture(path: Path) -> None:
    png(path, np.zeros((10, 20), dtype=np.uint8))


def coco(folder: Path, annotation=None, image=None, categories=None) -> Path:
    for split in ("train", "test"):
        content = {
            "images": [{"id": i, "file_name": f"{split}{i}.png", "width": 20, "height": 10} for i in (1, 2)],
            "annotations": [
                {"id": 7, "image_id": 1, "category_id": 3, "bbox": [2, 1, 5, 4], "segmentation": [[2, 1, 7, 1, 7, 5]]}
            ],
            "categories": [{"id": 3, "name": "dog"}],
        }
        if split == "train":
            content["annotations"][0].update(annotation or {})
            content["images"][1].update(image or {})
            content["categories"] += categories or []
        folder.mkdir(exist_ok=True)
        (folder / f"{split}.json").write_text(json.dumps(content))
        for i in (1, 2):
            picture(folder / "images" / f"{split}{i}.png")
    return folder


def voc(folder: Path, box=(3, 2, 7, 5), size="", listed="") -> Path:
    (folder / "ImageSets" / "Main").mkdir(parents=True)
    (folder / "Annotations").mkdir()
    sides = "".join(f"<{k}>{x}</{k}>" for k, x in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True))
    for split in ("train", "test"):
        (folder / "ImageSets" / "Main" / f"{split}.txt").write_text(f"{split}\n{listed if split == 'train' else ''}")
        (folder / "Annotations" / f"{split}.xml").write_text(
            f"<annotation>{size}<object><name>dog</name><bndbox>{sides}</bndbox></object></annotation>"
        )
        picture(folder / "JPEGImages" / f"{split}.png")
    return folder


def yolo(folder: Path, line="0 0.5 0.5 0.5 0.5", names="names: [cat, dog]") -> Path:
    for split in ("train", "test"):
        picture(folder / "images" / split / "1.png")
        (folder / "labels" / split).mkdir(parents=True)
        (folder / "labels" / split / "1.txt").write_text(line)
    (folder / "data.yaml").write_text(names)
    return folder


def masks(folder: Path, names="ground\ncat\n") -> Path:
    for split in ("train", "test"):
        picture(folder / "images" / split / "1.png")
        png(folder / "masks" / split / "1.png", np.zeros((10, 20), dtype=np.uint8))
    (folder / "classes.txt").write_text(names)
    return folder


def twin(folder: Path, name: str) -> Path:
    picture(folder / name)
    return folder


def read(scheme: str, folder: Path, **options) -> AnnotatedFolder:
    task = AnnotatedFolder(resolve(scheme, str(folder)).name, **options)
    assert task.output.classes
    task.split("train")
    return task


def category(name):
    return [{"id": 11, "name": name}]


ABSURD = {
    "class of a surrogate": (lambda f: coco(f, categories=category("\ud800bad")), "coco", ["category 11", r"\ud800"]),
    "class of a surrogate in YAML": (lambda f: yolo(f, names=r'names: ["\ud800", a]'), "yolo", ["data.yaml", "ud800"]),
    "class without a name": (lambda f: coco(f, categories=category(" ")), "coco", ["category 11: its name is empty"]),
    "class twice": (lambda f: coco(f, categories=category("dog")), "coco", ["train.json: cat", "'dog' is named twice"]),
    "long class": (lambda f: yolo(f, names=f"names: [{'9' * 6000}]"), "yolo", ["data.yaml", "6,000 characters"]),
    "image of a surrogate": (lambda f: coco(f, image={"file_name": "\ud800.png"}), "coco", ["image 2", "no name that"]),
    "id of a surrogate": (lambda f: coco(f, image={"id": "\ud800"}), "coco", ["train.json: image", "surrogate"]),
    "image of NUL": (lambda f: coco(f, image={"file_name": "a\0.png"}), "coco", ["image 2", r"'a\x00.png' is no name"]),
    "long image": (lambda f: coco(f, image={"file_name": "a" * 5000}), "coco", ["image 2", "aa... cannot be read"]),
    "ids 1 and '1'": (lambda f: coco(f, image={"id": "1"}), "coco", ["two images have the name '1'"]),
    "id true": (lambda f: coco(f, image={"id": True}), "coco", ["train.json: an image without id"]),
    "category list": (lambda f: coco(f, {"category_id": [3]}), "coco", ["annotation 7: no category has the id [3]"]),
    "image object": (lambda f: coco(f, {"image_id": {}}), "coco", ["annotation 7: no image has the id {}"]),
    "huge side": (lambda f: coco(f, {"bbox": [HUGE, 1, 2, 3]}), "coco", ["annotation 7: 1000", "larger than"]),
    "deep bbox": (lambda f: coco(f, {"bbox": [[[[[[[[[1]]]]]]]]]}), "coco", ["annotation 7: bbox is [[["]),
    "tiny box": (lambda f: coco(f, {"bbox": [5, 5, 0.001, 0.001]}), "coco", ["annotation 7", "no area once"]),
    "size of COCO": (
        lambda f: coco(f, image={"width": 40, "height": 20}),
        "coco",
        ["train.json: image 2 is annotated as 40x20", "has 20x10"],
    ),
    "size that is a list": (lambda f: coco(f, image={"width": [1]}), "coco", ["image 2: width: [1] is not a number"]),
    "size of VOC": (
        lambda f: voc(f, size="<size><width>20</width><height>30</height></size>"),
        "voc",
        ["train.xml: image train is annotated as 20x30", "has 20x10"],
    ),
    "VOC from 0": (lambda f: voc(f, (0, 0, 9, 9)), "voc", ["object 1 of train.png", "counts pixels from 1"]),
    "VOC list of NUL": (lambda f: voc(f, listed="a\0b"), "voc", ["the list of train", "is no name"]),
    "VOC list twice": (lambda f: voc(f, listed="train"), "voc", ["train.xml", "is listed twice for train"]),
    "VOC twin": (lambda f: twin(voc(f), "JPEGImages/train.jpg"), "voc", ["train.png: train.jpg has the same name"]),
    "YOLO twin": (lambda f: twin(yolo(f), "images/train/1.jpg"), "yolo", ["two images", "1.jpg"]),
    "masks twin": (lambda f: twin(masks(f), "images/train/1.jpg"), "masks", ["two images", "1.jpg"]),
    "one class of masks": (lambda f: masks(f, "a\n"), "masks", ["of 1 class; masks need 2 to 255"]),
    "class twice in masks": (lambda f: masks(f, "a\nb\nb\n"), "masks", ["classes.txt: the class 'b' is named twice"]),
    "tag": (lambda f: yolo(f, names="names:\n- !!int abc"), "yolo", ["data.yaml: line 2", "no plain text"]),
    "tag of the list": (lambda f: yolo(f, names="names: !!python/object/apply:os.system [a]"), "yolo", ["has the tag"]),
    "only class": (lambda f: yolo(f, "1 .5 .5 .1 .1", "names: [a]"), "yolo", ["the class '1' is not the only class"]),
    "object": (lambda f: yolo(f, names="names: !!python/name:os.system ''"), "yolo", ["data.yaml: names is no list"]),
    "character": (lambda f: yolo(f, names=r'names: ["\Uffffffff"]'), "yolo", ["data.yaml: not YAML"]),
    "number twice": (lambda f: yolo(f, names="names: {0: a, 0: b}"), "yolo", ["data.yaml: the numbers of names"]),
    "name twice": (lambda f: yolo(f, names="names: [a, a]"), "yolo", ["data.yaml: names: the class 'a'"]),
    "empty name": (lambda f: yolo(f, names="names: [a, '']"), "yolo", ["data.yaml: names: the name of class 1 is"]),
} | {
    f"YOLO class {number}": (
        lambda f, number=number: yolo(f, f"{number} .5 .5 .1 .1"),
        "yolo",
        ["train/1.txt: line 1", f"the class '{number}' is none of the 2 classes"],
    )
    for number in ("nan", "inf", "-inf", "1e400")
}  # fmt: skip


@pytest.mark.parametrize("case", ABSURD)
def test_absurd_annotations_are_one_line_with_file_and_object(tmp_path, case):
    make, scheme, parts = ABSURD[case]
    with pytest.raises(DataError) as caught:
        read(scheme, make(tmp_path / "data"))
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 600
    message.encode()
    for part in parts:
        assert part in message


@pytest.mark.parametrize(
    ("annotation", "why"),
    [
        ({"segmentation": [[HUGE, 1, 2, 3, 4, 5]]}, "far outside"),
        ({"segmentation": [[float("inf"), 1, 2, 3, 4, 5]]}, "far outside"),
        ({"segmentation": [[float("nan"), 1, 2, 3, 4, 5]]}, "not a number"),
        ({"segmentation": {"size": [10, 20], "counts": [HUGE]}}, "a run length of 1000"),
        ({"segmentation": {"size": [[[[[[[[10]]]]]]]], "counts": [200]}}, "for an image of 20x10"),
        ({"area": HUGE}, "larger than"),
        ({"area": float("nan")}, "not a finite number"),
        ({"area": [1]}, "not a number"),
    ],
)
def test_absurd_shapes_are_one_line(tmp_path, annotation, why):
    with pytest.raises(DataError, match=rf"train.json: annotation 7: .*{why}"):
        read("coco", coco(tmp_path / "data", annotation), kind="masks")


def test_run_lengths_have_a_limit():
    with pytest.raises(ValueError, match="more than 60 bits"):
        run_lengths("o" * 400_000 + "0")


def test_files_whose_names_are_not_utf8_are_refused(tmp_path):
    yolo(tmp_path)
    try:
        (tmp_path / "images" / "train" / "\udcff.png").write_bytes(b"")
    except OSError:
        pytest.skip("this file system has UTF-8 names only")
    with pytest.raises(DataError, match=r"'images/train/\\udcff.png' has a name that is not UTF-8"):
        resolve("yolo", str(tmp_path))
    with pytest.raises(DataError, match=r"\\udcff' is not UTF-8"):
        resolve("yolo", "data\udcff")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("names: [yes, no]", ("yes", "no")),
        ("names: [2024-13-45, 1.50]", ("2024-13-45", "1.50")),
        ("names: {'1': dog, '0': cat}", ("cat", "dog")),
        ("names:\n  1: dog\n  0: on", ("on", "dog")),
    ],
)
def test_names_of_yolo_stay_texts(tmp_path, text, names):
    assert read("yolo", yolo(tmp_path, names=text)).output.classes == names


@pytest.mark.parametrize("given", ["a++c", "a+b+a"])
def test_names_of_the_option_are_checked(tmp_path, given):
    with pytest.raises(DataError, match=r"names=a\+"):
        read("masks", masks(tmp_path), names=given)


@pytest.mark.parametrize("colour", [0, 3], ids=["grey", "palette"])
@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_maps_of_few_bits_keep_their_numbers(tmp_path, bits, colour):
    pixels = np.arange(200).reshape(10, 20) % 2**bits
    png(tmp_path / "map.png", pixels, bits, colour)
    assert (map_in_file(tmp_path / "map.png", 201)(20, 10) == pixels).all()


def test_sizes_of_0_are_unknown_ones(tmp_path):
    read("coco", coco(tmp_path / "coco", image={"width": 0, "height": None}))
    read("voc", voc(tmp_path / "voc", size="<size><width>0</width><height>0</height></size>"))


def test_texts_of_one_box_say_so(tmp_path):
    task = read("yolo", yolo(tmp_path, "0 0.95 0.5 0.5 0.1", "names: [cat]"), faults="leave-out")
    assert task.reading_notes == ("2 boxes left out for a fault",)
    assert "boxes of 1 class; " in task.description
    assert decoded(read("masks", masks(tmp_path / "m")).split("train")[0].target).shape == (10, 20)
    assert "finite" in Box(0, HUGE, 1, 2, 3).fault
