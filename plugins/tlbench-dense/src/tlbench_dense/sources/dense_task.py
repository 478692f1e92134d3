"""`coco:`, `voc:`, `yolo:` and `masks:`: tasks made of your own annotated images."""

from __future__ import annotations

import hashlib
import os
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

from tlbench_data.images.image_checks import content_of
from tlbench_data.images.pinned_folders import checked_digest, folder_at, named_path, path_and_digest
from tlbench_data.option_fields import option
from tlbench_data.readers.rows import unpaired_surrogate

from tlbench import DataError, Example, Examples, ImageFile, Output, SplitName, Task, UsageError, divide
from tlbench.data.checks.check_finding import counted
from tlbench_dense.kinds.boxes import Boxes, Detector
from tlbench_dense.kinds.masks import MapDecoder, Masks
from tlbench_dense.sources.annotated_images import WHOLE, AnnotatedImage, Annotations, FoundBox, Wanted
from tlbench_dense.sources.annotation_checks import check_identities, check_names, shown
from tlbench_dense.sources.coco_files import read_coco
from tlbench_dense.sources.png_maps import read_masks
from tlbench_dense.sources.voc_files import read_voc
from tlbench_dense.sources.yolo_files import read_yolo
from tlbench_dense.standalone.box_texts import Box
from tlbench_dense.standalone.class_runs import IGNORED, encoded

Reader = Callable[[Path, Wanted, str], Annotations]
READERS: Mapping[str, Reader] = {"coco": read_coco, "voc": read_voc, "yolo": read_yolo, "masks": read_masks}
Faults = Literal["error", "clip", "leave-out"]
_SHARES = {"train": 0.7, "validation": 0.1, "test": 0.2}
_SLACK = 0.5
"""Boxes may be outside of their image by so many pixels, from rounding; they are cut to it."""


@dataclass(frozen=True)
class AnnotatedFolder(Task):
    """Your own images with boxes or maps of classes.

    If there is a validation split but no test split, it becomes the test split, and validation is carved from train.
    """

    name: str
    kind: Literal["", "boxes", "masks"] = option("", "boxes or masks; by default boxes, and masks for masks:")
    names: str = option("", "names of the classes, as a+b+c, for voc, yolo and masks", ("voc", "yolo", "masks"))
    decoder: str = option("", "the head: fcos, retinanet or faster-rcnn for boxes, linear or fpn for masks")
    window: int = option(0, "side in pixels of windows that images are cut into, for masks; 0 for none")
    faults: Literal["error", "clip", "leave-out"] = option(
        "error", "boxes with a fault: error, clip (cut to the image) or leave-out"
    )
    split_seed: int = option(0, "seed of the splits of a folder without them")
    pictures: bool = option(True, "whether records keep pictures of six test images for the HTML report")

    modality = "image"

    def __post_init__(self) -> None:
        heads = get_args(Detector if self.wanted == "boxes" else MapDecoder)
        if self.decoder and self.decoder not in heads:
            listed = f"{', '.join(heads[:-1])} or {heads[-1]}"
            raise UsageError(f"{self.name}: decoder={self.decoder}: {self.wanted} have {listed}")
        if self.window and self.wanted == "boxes":
            raise UsageError(f"{self.name}: window= is for masks; leave it out")

    @property
    def scheme(self) -> str:
        """The form of the annotations."""
        return self.name.partition(":")[0]

    @property
    def wanted(self) -> Wanted:
        """Boxes or masks."""
        return self.kind or ("masks" if self.scheme == "masks" else "boxes")

    @property
    def output(self) -> Output:  # type: ignore[override]
        """The classes in the order of the annotations' numbers.

        Raises:
            DataError: The annotations cannot be read.
        """
        classes = _read(self).classes
        more: Any = {"decoder": self.decoder} if self.decoder else {}
        if self.wanted == "boxes":
            return Boxes(classes, has_pictures=self.pictures, **more)
        return Masks(classes, window=self.window, has_pictures=self.pictures, **more)

    @property
    def metrics(self) -> tuple[str, ...]:  # type: ignore[override]
        """The metrics of the kind."""
        return _METRICS[self.wanted]

    @property
    def description(self) -> str:  # type: ignore[override]
        """One line on images and classes.

        Raises:
            DataError: The annotations cannot be read.
        """
        read = _read(self)
        sizes = ", ".join(f"{len(images):,} {split}" for split, images in read.splits.items())
        return f"Your images with {self.wanted} of {counted(len(read.classes), 'class', 'classes')}; {sizes}"

    @property
    def sizes(self) -> Mapping[str, int]:  # type: ignore[override]
        """The numbers of images, of a folder without splits that of all of them.

        Raises:
            DataError: The annotations cannot be read.
        """
        return {split: len(images) for split, images in _read(self).splits.items()}

    @property
    def reading_notes(self) -> tuple[str, ...]:
        """What was left out or cut, for `tlbench check`.

        Raises:
            DataError: The annotations or images cannot be read.
        """
        counts = sum((_part(self, split)[1] for split in _read(self).splits), Counter[str]())
        return tuple(f"{counted(count, 'box', 'boxes')} {what}" for what, count in sorted(counts.items()))

    def split(self, name: SplitName) -> Examples | None:
        """Returns the examples of a split.

        Raises:
            DataError: An image is missing or cannot be read, or an annotation has a fault; the message names both.
        """
        splits = _read(self).splits
        if WHOLE in splits:
            return _divided(self).get(name)
        return Examples(_part(self, name)[0]) if name in splits else None

    def missing(self) -> str | None:
        """Returns a message if the folder no longer exists, or None."""
        path = named_path(self.name)
        return None if path.exists() else f"{path} does not exist any more"


_METRICS = {
    "boxes": ("coco_map", "coco_ap50", "coco_ar100"),
    "masks": ("mean_iou", "pixel_accuracy", "boundary_f1"),
}


# The task's name pins the content, so reading once per process is enough.
@lru_cache(maxsize=8)
def _read(task: AnnotatedFolder) -> Annotations:
    read = READERS[task.scheme](folder_at(named_path(task.name)), task.wanted, task.names)
    fewest, most = (2, IGNORED) if task.wanted == "masks" else (1, sys.maxsize)
    if not fewest <= len(read.classes) <= most:
        needed = f"{fewest} to {most}" if task.wanted == "masks" else "at least one"
        count = counted(len(read.classes), "class", "classes")
        raise DataError(f"{named_path(task.name)}: the annotations are of {count}; {task.wanted} need {needed}")
    # Here too, so that no form of annotations can leave it out.
    check_names(read.classes, f"{named_path(task.name)}")
    for split, images in read.splits.items():
        check_identities(images, split)
    if empty := [split for split, images in read.splits.items() if not images]:
        raise DataError(f"{named_path(task.name)}: no image for {empty[0]}")
    splits = dict(read.splits)
    if "validation" in splits and "test" not in splits:
        splits["test"] = splits.pop("validation")
    if WHOLE not in splits and (absent := {"train", "test"} - splits.keys()):
        raise DataError(f"{named_path(task.name)}: no images for {min(absent)}")
    return Annotations(read.classes, splits)


@lru_cache(maxsize=8)
def _part(task: AnnotatedFolder, split: str) -> tuple[Sequence[Example], Counter[str]]:
    """Returns the examples of a split of the folder, and how many boxes were left out or cut."""
    read, counts = _read(task), Counter[str]()
    numbers = {name: index for index, name in enumerate(read.classes)}
    rows = [_example(image, task, numbers, counts) for image in read.splits[split]]
    # Images of two splits may have one name.
    return [row if split == WHOLE else replace(row, id=f"{split}/{row.id}") for row in rows], counts


@lru_cache(maxsize=4)
def _divided(task: AnnotatedFolder) -> dict[str, Examples]:
    """Returns the splits that are drawn from a folder without any."""
    rows = _part(task, WHOLE)[0]
    parts = divide(rows, task.output, _SHARES, task.split_seed)
    if empty := [split for split, positions in parts.items() if not positions]:
        raise DataError(f"{named_path(task.name)}: {len(rows)} images are too few to divide: {empty[0]} would be empty")
    return {split: Examples(rows[i] for i in positions) for split, positions in parts.items()}


def _example(found: AnnotatedImage, task: AnnotatedFolder, numbers: Mapping[str, int], counts: Counter[str]) -> Example:
    # Unlike `Path.is_file`, False also for a name that is too long.
    if not os.path.isfile(found.image):
        raise DataError(f"{found.source}: image {found.id:.60}: {found.image} does not exist")
    image = ImageFile.read(found.image, content_of(found.image)[:16])
    if "orientation" in image.adjusted:
        raise DataError(
            f"{found.image}: its EXIF turns it, so that it is unclear which way the annotations are; save it turned"
        )
    width, height = image.size
    if any(given not in (None, real) for given, real in zip(found.declared, image.size, strict=True)):
        given = "x".join("?" if side is None else f"{side:g}" for side in found.declared)
        raise DataError(
            f"{found.source}: image {found.id:.60} is annotated as {given} pixels, and {found.image} has"
            f" {width}x{height}"
        )
    if found.draw is not None:
        return Example(found.id, (image,), encoded(found.draw(width, height)))
    boxes = _boxes(found, (width, height), numbers, task.faults, counts)
    return Example(found.id, (image,), tuple(boxes))


def _boxes(
    found: AnnotatedImage, size: tuple[int, int], numbers: Mapping[str, int], faults: Faults, counts: Counter[str]
) -> Sequence[Box]:
    boxes: list[Box] = []
    for one in found.boxes:
        box, fault, is_outside = _box(one, found.relative, size, numbers)
        if not fault:
            boxes.append(box)
            continue
        if faults == "clip" and is_outside:
            cut = box._replace(
                left=max(0.0, box.left), top=max(0.0, box.top),
                right=min(float(size[0]), box.right), bottom=min(float(size[1]), box.bottom),
            )  # fmt: skip
            if not cut.fault:
                boxes.append(cut)
                counts["cut to their image"] += 1
                continue
        if faults == "leave-out":
            counts["left out for a fault"] += 1
            continue
        advice = "[faults=clip] cuts it" if is_outside and faults == "error" else "[faults=leave-out] leaves it out"
        hint = f"; {one.advice}" if one.advice else ""
        raise DataError(f"{found.source}: {one.where} of {found.image.name}: {fault}; {advice}{hint}")
    return boxes


def _box(one: FoundBox, relative: bool, size: tuple[int, int], numbers: Mapping[str, int]) -> tuple[Box, str, bool]:
    """Returns the box in pixels, its fault if any, and whether the fault is that it leaves its image."""
    across, down = size if relative else (1, 1)
    sides = (one.left * across, one.top * down, one.right * across, one.bottom * down)
    box = Box(numbers.get(one.name, -1), *sides, one.crowd)
    if box.label < 0:
        known = f"none of the {len(numbers)} classes" if len(numbers) > 1 else "not the only class"
        return box, f"the class {shown(one.name)} is {known}", False
    if box.fault:
        return box, box.fault, False
    past = max(-box.left, -box.top, box.right - size[0], box.bottom - size[1])
    if past > _SLACK:
        corners = f"({box.left:g}, {box.top:g}) to ({box.right:g}, {box.bottom:g})"
        return box, f"the box from {corners} leaves the image of {size[0]}x{size[1]} pixels", True
    inside = (max(0.0, sides[0]), max(0.0, sides[1]), min(float(size[0]), sides[2]), min(float(size[1]), sides[3]))
    box = Box(box.label, *inside, one.crowd)
    return box, box.fault, False


def resolve(scheme: str, text: str) -> AnnotatedFolder:
    """Returns the task of `<path>[@digest]`, pinned to the present content of all files of the folder.

    Raises:
        DataError: The folder is missing or cannot be read, or the digest does not match.
    """
    if unpaired_surrogate(text):
        raise DataError(f"{scheme}: the path {shown(text)} is not UTF-8; rename the folder")
    path, given = path_and_digest(f"{scheme}:", text)
    folder, sha256 = folder_at(path), hashlib.sha256()
    for file in sorted(file for file in folder.rglob("*") if file.is_file()):
        name = file.relative_to(folder).as_posix()
        if unpaired_surrogate(name):
            raise DataError(f"{folder}: the file {shown(name)} has a name that is not UTF-8; rename it")
        sha256.update(f"{name}\0{content_of(file)}\n".encode())
    digest = checked_digest(f"{scheme}:", text, given, sha256.hexdigest()[:12])
    return AnnotatedFolder(f"{scheme}:{path}@{digest}")
