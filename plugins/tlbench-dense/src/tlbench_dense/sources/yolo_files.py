"""Reads YOLO's folders: a text file for each image, with a line for each box."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

from tlbench import DataError, ImageFile
from tlbench_dense.sources.annotated_images import (
    WHOLE,
    AnnotatedImage,
    Annotations,
    FoundBox,
    Wanted,
    listed_names,
    number_of,
    split_in,
    text_of,
)
from tlbench_dense.sources.annotation_checks import check_names, shown

_FIELDS = 5


def read_yolo(folder: Path, wanted: Wanted, names: str = "") -> Annotations:
    """Returns the annotations of a folder with `images` and `labels`, in which or above which folders name splits.

    A line is the class's number, then centre, width and height as shares of the image's. An image without a file has no
    objects. Names come from `names=`, `data.yaml` or `classes.txt`.

    Raises:
        DataError: A file is not in YOLO's form; the message names file and line.
    """
    if wanted == "masks":
        raise DataError(f"{folder}: YOLO's files have boxes; maps are read from coco:, voc: and masks:")
    classes = listed_names(folder, names) or _names_in_yaml(folder)
    if not classes:
        raise DataError(f"{folder}: the classes have no names: add data.yaml or classes.txt, or give [names=a+b]")
    splits: dict[str, list[AnnotatedImage]] = {}
    for split, images, labels in paired_folders(folder, "images", "labels"):
        splits.setdefault(split, [])
        pictures = [path for path in sorted(images.rglob("*")) if path.suffix.lower() in ImageFile.suffixes]
        stems = {path.relative_to(images).with_suffix("") for path in pictures}
        for file in sorted(labels.rglob("*.txt")):
            if file.name != "classes.txt" and file.relative_to(labels).with_suffix("") not in stems:
                raise DataError(f"{file}: there is no image of this name in {images}")
        for image in pictures:
            file = labels / image.relative_to(images).with_suffix(".txt")
            boxes = tuple(_boxes(file, classes)) if file.is_file() else ()
            identity = image.relative_to(images).with_suffix("").as_posix()
            splits[split].append(AnnotatedImage(identity, image, file, boxes, relative=True))
    return Annotations(classes, splits)


def paired_folders(folder: Path, images: str, others: str) -> list[tuple[str, Path, Path]]:
    """Returns the split, the folder of images and that of annotations, for each split or for the whole.

    Splits are folders in both (`images/train`, `masks/train`), or above both (`train/images`, `train/masks`).

    Raises:
        DataError: There are no such folders, or a split has one of them alone.
    """
    above = [path for path in sorted(folder.iterdir()) if path.is_dir() and (path / images).is_dir()]
    if named := [(split, path) for path in above if (split := split_in([path.name]))]:
        found = [(split, path / images, path / others) for split, path in named]
    elif (folder / images).is_dir():
        within = [path for path in sorted((folder / images).iterdir()) if path.is_dir() and split_in([path.name])]
        found = [(str(split_in([path.name])), path, folder / others / path.name) for path in within]
        found = found or [(WHOLE, folder / images, folder / others)]
    else:
        raise DataError(f"{folder}: no folder {images} beside {others}")
    for split, _, path in found:
        if not path.is_dir():
            raise DataError(f"{path}: no such folder, which {split} needs")
    if len({split for split, _, _ in found}) < len(found):
        raise DataError(f"{folder}: two folders name one split: {', '.join(path.name for _, path, _ in found)}")
    return found


def _names_in_yaml(folder: Path) -> tuple[str, ...]:
    import yaml

    file = next((path for path in (folder / "data.yaml", folder / "dataset.yaml") if path.is_file()), None)
    if file is None:
        return ()
    try:
        # Composed and not loaded: a name such as `no` stays a text, and no tag is followed.
        root: Any = yaml.compose(text_of(file), Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError, ValueError, OverflowError) as error:
        raise DataError(f"{file}: not YAML: {' '.join(str(error).split())[:100]}") from None
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    found = next((value for key, value in pairs if key.value == "names"), None)
    usual = (yaml.BaseLoader.DEFAULT_MAPPING_TAG, yaml.BaseLoader.DEFAULT_SEQUENCE_TAG)
    if isinstance(found, yaml.CollectionNode) and found.tag not in usual:
        raise DataError(f"{file}: names has the tag {shown(found.tag)}, which is not read")
    if isinstance(found, yaml.MappingNode):
        numbers, nodes = [_text(key, file) for key, _ in found.value], [value for _, value in found.value]
        if sorted(numbers) != sorted(map(str, range(len(numbers)))):
            raise DataError(f"{file}: the numbers of names are not 0 to {len(numbers) - 1}, each once")
        nodes = [node for _, node in sorted(zip(map(int, numbers), nodes, strict=True), key=itemgetter(0))]
    elif isinstance(found, yaml.SequenceNode):
        nodes = found.value
    else:
        raise DataError(f"{file}: names is no list of the classes' names")
    names = tuple(_text(node, file).strip() for node in nodes)
    check_names(names, f"{file}: names")
    return names


def _text(node: Any, file: Path) -> str:
    """Returns the text of a scalar of YAML, whatever it would mean."""
    import yaml

    if isinstance(node, yaml.ScalarNode) and node.tag == yaml.BaseLoader.DEFAULT_SCALAR_TAG:
        return str(node.value)
    raise DataError(f"{file}: line {node.start_mark.line + 1}: a name of a class is no plain text")


def _boxes(file: Path, classes: Sequence[str]) -> list[FoundBox]:
    boxes = []
    for number, line in enumerate(text_of(file).splitlines(), 1):
        fields, where = line.split(), f"line {number}"
        if not fields:
            continue
        if len(fields) != _FIELDS:
            raise DataError(f"{file}: {where}: {len(fields)} fields, and a box has {_FIELDS}: class x y width height")
        label, across, down, width, height = (number_of(field, f"{file}: {where}") for field in fields)
        # An unknown number is reported with the other faults of boxes, which may be left out.
        # The range is compared first, since NaN and infinity are no whole numbers.
        name = classes[int(label)] if 0 <= label < len(classes) and label == int(label) else fields[0]
        sides = (across - width / 2, down - height / 2, across + width / 2, down + height / 2)
        boxes.append(FoundBox(where, name, *sides))
    return boxes
