"""Reads COCO's JSON: a folder with a file for each split, beside its images."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlbench import DataError
from tlbench_dense.sources.annotated_images import (
    GROUND,
    WHOLE,
    AnnotatedImage,
    Annotations,
    Draw,
    FoundBox,
    Wanted,
    inside,
    number_of,
    size_number,
    split_in,
    text_of,
)
from tlbench_dense.sources.annotation_checks import check_names, shown

if TYPE_CHECKING:
    import numpy as np


def read_coco(folder: Path, wanted: Wanted, names: str = "") -> Annotations:
    """Returns the annotations of the JSON files of a folder, or of its folder `annotations`.

    A file's name says its split, as `instances_train2017.json`; one file alone need not name one. The images lie in the
    folder, in `images`, or in a folder with the name of the split, as `train2017`.

    Raises:
        DataError: A file is not in COCO's form; the message names file and object.
    """
    if names:
        raise DataError(f"{folder}: names= has no effect, since COCO's files name their classes; leave it out")
    files = sorted({*folder.glob("*.json"), *folder.glob("annotations/*.json")})
    files = [file for file in files if not file.name.startswith(("captions_", "person_keypoints_", "image_info_"))]
    if not files:
        raise DataError(f"{folder}: no JSON file of annotations, such as annotations/instances_train.json")
    parts: dict[str, tuple[Path, Any]] = {}
    for file in files:
        split = split_in(re.split(r"[^A-Za-z0-9]+", file.stem)) or (WHOLE if len(files) == 1 else None)
        if split is None:
            raise DataError(f"{file}: its name says no split: call it train.json, val.json or test.json")
        if split in parts:
            raise DataError(f"{file}: {parts[split][0].name} is of the same split, {split}; leave one in the folder")
        parts[split] = file, _parsed(file)
    classes: dict[int, str] = {}
    for file, content in parts.values():
        classes |= _classes(file, content)
    order = {identity: index for index, identity in enumerate(sorted(classes))}
    if wanted == "masks":
        order = {identity: index + 1 for identity, index in order.items()}
    titles = tuple(classes[identity] for identity in sorted(classes))
    # Files of one data set are each right alone, and may still not agree.
    check_names(titles, f"{folder}: categories of all files")
    splits = {split: _images(folder, *part, classes, order, wanted) for split, part in parts.items()}
    return Annotations((GROUND, *titles) if wanted == "masks" else titles, splits)


def _parsed(file: Path) -> Any:
    try:
        content = json.loads(text_of(file))
    except (ValueError, RecursionError) as error:
        # What follows a semicolon is advice for whoever wrote the program.
        reason = str(error).partition(";")[0]
        raise DataError(f"{file}: not JSON: {' '.join(reason.split())[:100]}") from None
    missing = [key for key in ("images", "annotations", "categories") if not isinstance(_get(content, key), list)]
    if missing:
        raise DataError(f"{file}: no list of {missing[0]}, which COCO's form has")
    return content


def _classes(file: Path, content: Any) -> dict[int, str]:
    found: dict[int, str] = {}
    for entry in content["categories"]:
        identity, name = _get(entry, "id"), _get(entry, "name")
        if type(identity) is not int or not isinstance(name, str):
            raise DataError(f"{file}: a category without id and name: {shown(entry)}")
        where = f"{file}: category {shown(identity)}"
        if found.setdefault(identity, name) != name:
            raise DataError(f"{where} has two names, {shown(found[identity])} and {shown(name)}")
        check_names([name], where)
    if not found:
        raise DataError(f"{file}: no categories")
    check_names(list(found.values()), f"{file}: categories")
    return found


def _images(
    folder: Path, file: Path, content: Any, classes: Mapping[int, str], order: Mapping[int, int], wanted: Wanted
) -> list[AnnotatedImage]:
    entries: dict[Any, Any] = {}
    for entry in content["images"]:
        identity, name = _get(entry, "id"), _get(entry, "file_name")
        if type(identity) not in (int, str) or not isinstance(name, str) or not name:
            raise DataError(f"{file}: an image without id and file_name: {shown(entry)}")
        if identity in entries:
            raise DataError(f"{file}: image {shown(identity)}: its id occurs twice")
        entries[identity] = entry
    of_image: dict[Any, list[Any]] = {identity: [] for identity in entries}
    for number, entry in enumerate(content["annotations"], 1):
        if not isinstance(entry, dict):
            raise DataError(f"{file}: annotation number {number} is {shown(entry)}, and no object")
        where = f"{file}: {_title(entry)}"
        for key, noun, known in (("image_id", "image", of_image), ("category_id", "category", classes)):
            # Lists and objects cannot be looked up.
            if type(entry.get(key)) not in (int, float, str) or entry[key] not in known:
                raise DataError(f"{where}: no {noun} has the id {shown(entry.get(key))}")
        of_image[entry["image_id"]].append(entry)
    stem = re.sub(r"^instances_", "", file.stem)
    places = [folder, folder / "images", folder / stem, folder / "images" / stem, file.parent]
    result = []
    for identity, entry in entries.items():
        where = f"{file}: image {shown(identity)}"
        paths = [inside(place, entry["file_name"], where) for place in places]
        image = next((path for path in paths if path.is_file()), paths[0])
        found = of_image[identity]
        boxes = tuple(_box(entry, classes, file) for entry in found) if wanted == "boxes" else ()
        draw = _drawn(found, order, file) if wanted == "masks" else None
        width, height = (size_number(entry.get(key), f"{where}: {key}") for key in ("width", "height"))
        result.append(AnnotatedImage(f"{identity}", image, file, boxes, draw, declared=(width, height)))
    return result


def _box(entry: Any, classes: Mapping[int, str], file: Path) -> FoundBox:
    where = _title(entry)
    sides = _get(entry, "bbox")
    if not isinstance(sides, list) or len(sides) != 4:
        raise DataError(f"{file}: {where}: bbox is {shown(sides)}, and not left, top, width and height")
    left, top, width, height = (number_of(side, f"{file}: {where}") for side in sides)
    crowd = bool(_get(entry, "iscrowd"))
    return FoundBox(where, classes[entry["category_id"]], left, top, left + width, top + height, crowd)


def _drawn(entries: Sequence[Any], order: Mapping[int, int], file: Path) -> Draw:
    def draw(width: int, height: int) -> np.ndarray:
        import numpy as np

        from tlbench_dense.sources.coco_shapes import drawn_shape
        from tlbench_dense.standalone.class_runs import IGNORED

        classes = np.zeros((height, width), dtype=np.uint8)
        # Large objects first, so that they do not hide small ones.
        for entry in sorted(entries, key=lambda entry: _area(entry, file), reverse=True):
            try:
                part = drawn_shape(_get(entry, "segmentation"), width, height)
            except (ValueError, TypeError) as error:
                raise DataError(f"{file}: {_title(entry)}: {error}") from None
            classes[part > 0] = IGNORED if _get(entry, "iscrowd") else order[entry["category_id"]]
        return classes

    return draw


def _area(entry: Any, file: Path) -> float:
    where = f"{file}: {_title(entry)}: area"
    area = 0.0 if entry.get("area") is None else number_of(entry["area"], where)
    if not math.isfinite(area):
        raise DataError(f"{where}: {area} is not a finite number")
    return area


def _title(entry: Any) -> str:
    return f"annotation {shown(_get(entry, 'id'))}"


def _get(entry: Any, key: str) -> Any:
    return entry.get(key) if isinstance(entry, dict) else None
