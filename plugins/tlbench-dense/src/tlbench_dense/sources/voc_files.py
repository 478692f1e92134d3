"""Reads Pascal VOC's folders: an XML file of boxes for each image, and maps of classes as palette PNGs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tlbench import DataError, ImageFile
from tlbench_dense.sources.annotated_images import (
    GROUND,
    WHOLE,
    AnnotatedImage,
    Annotations,
    FoundBox,
    Wanted,
    inside,
    listed_names,
    number_of,
    size_number,
    text_of,
)
from tlbench_dense.sources.png_maps import map_in_file

CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog",
    "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
"""The classes of Pascal VOC 2007 to 2012, whose maps have their numbers, from 1."""
_FROM_ZERO = "Pascal VOC counts pixels from 1, and these seem to be counted from 0: add 1 to xmin and ymin"
_LISTS = {"boxes": "Main", "masks": "Segmentation"}
_SPLITS = {"train": "train", "val": "validation", "test": "test"}


def read_voc(folder: Path, wanted: Wanted, names: str = "") -> Annotations:
    """Returns the annotations of a folder with `Annotations` or `SegmentationClass`, and `JPEGImages`.

    The lists of `ImageSets/Main` (for maps `Segmentation`) say the splits; without them all images are one part. Boxes
    that are "difficult" are treated as crowds: not trained on, and not counted.

    Raises:
        DataError: A file is not in Pascal VOC's form; the message names file and object.
    """
    declared = listed_names(folder, names)
    place = folder / ("Annotations" if wanted == "boxes" else "SegmentationClass")
    suffix = ".xml" if wanted == "boxes" else ".png"
    if not place.is_dir():
        raise DataError(f"{folder}: no folder {place.name}, which Pascal VOC's form has")
    pictures: dict[str, Path] = {}
    for path in sorted((folder / "JPEGImages").glob("*")):
        if _is_image(path) and (other := pictures.setdefault(path.stem, path)) is not path:
            raise DataError(f"{path}: {other.name} has the same name, so that it is unclear which is annotated")
    splits: dict[str, list[AnnotatedImage]] = {}
    for split, stems in _listed(folder, wanted, place, suffix).items():
        splits[split] = []
        for stem in stems:
            file = inside(place, f"{stem}{suffix}", f"{folder}: the list of {split}")
            image = pictures.get(stem, folder / "JPEGImages" / f"{stem}.jpg")
            if wanted == "masks":
                count = len(declared) or len(CLASSES) + 1
                found = AnnotatedImage(stem, image, file, draw=map_in_file(file, count))
            else:
                boxes, size = _boxes(file)
                found = AnnotatedImage(stem, image, file, boxes, declared=size)
            splits[split].append(found)
    if wanted == "masks":
        return Annotations(declared or (GROUND, *CLASSES), splits)
    seen = {box.name for images in splits.values() for image in images for box in image.boxes}
    known = CLASSES if seen <= set(CLASSES) else tuple(sorted(seen))
    return Annotations(declared or known, splits)


def _listed(folder: Path, wanted: Wanted, place: Path, suffix: str) -> dict[str, Sequence[str]]:
    lists = {}
    for name, split in _SPLITS.items():
        file = folder / "ImageSets" / _LISTS[wanted] / f"{name}.txt"
        if file.is_file():
            lists[split] = [line.split()[0] for line in text_of(file).splitlines() if line.strip()]
    return lists or {WHOLE: sorted(path.stem for path in place.glob(f"*{suffix}"))}


def _boxes(file: Path) -> tuple[tuple[FoundBox, ...], tuple[float | None, float | None]]:
    """Returns the boxes of a file, and the image's declared width and height."""
    # Entities are refused: a few of them within one another take all memory, and others read files.
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import ParseError, fromstring

    text = text_of(file)
    try:
        root: Any = fromstring(text, forbid_dtd=True)
    except DefusedXmlException:
        raise DataError(
            f"{file}: XML with a document type or entities, which are not read: remove <!DOCTYPE>"
        ) from None
    except (ParseError, ValueError) as error:
        raise DataError(f"{file}: not XML: {error}") from None
    boxes = []
    for number, found in enumerate(root.iter("object"), 1):
        where = f"object {number}"
        name, box = (found.findtext("name") or "").strip(), found.find("bndbox")
        if not name or box is None:
            raise DataError(f"{file}: {where}: no {'bndbox' if name else 'name'}")
        left, top, right, bottom = (
            number_of(box.findtext(side), f"{file}: {where}: {side}") for side in ("xmin", "ymin", "xmax", "ymax")
        )
        # Pixels are counted from 1, and a box ends with its last pixel.
        difficult = (found.findtext("difficult") or "").strip() == "1"
        advice = _FROM_ZERO if min(left, top) < 1 else ""
        boxes.append(FoundBox(where, name, left - 1, top - 1, right, bottom, difficult, advice))
    width, height = (size_number(root.findtext(f"size/{side}"), f"{file}: {side}") for side in ("width", "height"))
    return tuple(boxes), (width, height)


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in ImageFile.suffixes
