"""`idx:<folder>`: a task made of your own IDX files, the format of MNIST and its relatives."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from tlbench import Classes, DataError, Examples, SplitName, Task
from tlbench_data.columns.metric_choice import chosen_first, positive_class
from tlbench_data.columns.output_kinds import OF_ONE_CLASS
from tlbench_data.columns.renamed_labels import LabelMap
from tlbench_data.images.idx import read_labelled
from tlbench_data.images.image_division import ImageDivision, Images, divided
from tlbench_data.images.image_tasks import examples_of_arrays
from tlbench_data.images.pinned_folders import checked_digest, folder_at, named_path, path_and_digest
from tlbench_data.name_lists import renamed_pairs
from tlbench_data.option_fields import option
from tlbench_data.own.name_files import check_classes, names_in, pinned_names
from tlbench_data.own.named_files import digest
from tlbench_data.own.other_sources import images_hint
from tlbench_data.own.own_parameters import check_map, check_metric, check_metric_fits
from tlbench_data.readers.rows import listed
from tlbench_data.split_names import NAMES, split_of

if TYPE_CHECKING:
    import numpy as np

SCHEME = "idx:"
# File names as published (train-images-idx3-ubyte.gz), as on Kaggle (train-images.idx3-ubyte), and with the name of
# a data set in front, as in EMNIST.
_NAME = re.compile(r"(?P<set>.*?)-?(?P<split>[a-z0-9]+)-(?P<what>images|labels)[.-]idx[13]-ubyte(\.gz)?", re.IGNORECASE)
_LARGEST_LABEL = 255


@dataclass(frozen=True)
class IdxImages(Task):
    """Grey images and labels in IDX files, one pair of files for each split.

    The test split is called `t10k` or like any test split; a folder with a training pair alone is split with a seed.
    """

    name: str
    labels: str = option("", "names of the classes in the order of their numbers, as a+b+c or a file of lines")
    map: str = option("", "renames or joins classes, as old:new+old2:new2")
    subset: str = option("", "which of several data sets: what stands before -train-images in its files' names")
    metric: str = option("", "primary metric, if not accuracy")
    positive_class: str = option("", "positive class of metric=f1, precision or recall; the second of two")
    split_seed: int = option(0, "seed of the splits that the folder lacks")
    validation: str = option("", "share of the images for validation, such as 0.1; of train's if there is a test pair")
    test: str = option("", "share of the images for the test, in a folder without a test pair")

    modality = "image"

    def __post_init__(self) -> None:
        for split, share in (("validation", self.division.validation), ("test", self.division.test)):
            if share:
                # One form for all ways to write a number, since the name is the task's identity.
                object.__setattr__(self, split, str(share))
        if self.labels:
            folder = folder_at(named_path(self.name))
            object.__setattr__(self, "labels", pinned_names(self.name, "labels", folder, self.labels))
            check_classes(self.name, self.labels)
        check_map(self.name, self.map)
        check_metric(self.name, self.metric, self.positive_class)
        check_metric_fits(self.name, self.metric, Classes(()))

    @property
    def metrics(self) -> tuple[str, ...]:  # type: ignore[override]
        """The metrics of classification, the chosen one first."""
        return chosen_first(self.metric, ("accuracy", "f1_macro"))

    @property
    def positive(self) -> int:  # type: ignore[override]
        """Index of the positive class of F1, precision and recall.

        Raises:
            DataError: The files cannot be used, or have no such class.
        """
        return _positive_class(self, _read(self).classes)[0] if self.metric in OF_ONE_CLASS else Task.positive

    @property
    def division(self) -> ImageDivision:
        """How the images are divided into the splits that the folder lacks.

        Raises:
            UsageError: An option is not valid.
        """
        return ImageDivision.of(self.name, self.split_seed, self.validation, self.test)

    @property
    def output(self) -> Classes:  # type: ignore[override]
        """The classes, in the order of their numbers.

        Raises:
            DataError: The files cannot be used.
        """
        return Classes(_read(self).classes)

    @property
    def sizes(self) -> Mapping[str, int]:  # type: ignore[override]
        """Number of images in each split.

        Raises:
            DataError: The files cannot be used.
        """
        return {split: len(rows) for split, (_, _, rows) in _read(self).splits.items()}

    @property
    def description(self) -> str:  # type: ignore[override]
        """One line on classes and splits.

        Raises:
            DataError: The files cannot be used.
        """
        read = _read(self)
        sizes = ", ".join(f"{size:,} {split}" for split, size in self.sizes.items())
        drawn = f" ({read.how})" if read.how else ""
        height, width = read.splits["train"][0].shape[1:]
        about = f"Your images of {width} x {height} grey pixels of {len(read.classes)} classes; {sizes}{drawn}"
        note = _positive_class(self, read.classes)[1]
        return f"{about}; {note}" if note else about

    def split(self, name: SplitName) -> Examples | None:
        """Returns the examples of a split, or None if there is no such split.

        Raises:
            DataError: The files cannot be used.
        """
        splits = _read(self).splits
        if name not in splits:
            return None
        pixels, targets, rows = splits[name]
        return examples_of_arrays(name, pixels, targets, rows)

    def missing(self) -> str | None:
        """Returns a message if the folder no longer exists, or None."""
        path = named_path(self.name)
        return None if path.exists() else f"{path} does not exist any more"


@dataclass(frozen=True)
class _Read:
    classes: tuple[str, ...]
    splits: Mapping[str, tuple[np.ndarray, np.ndarray, Sequence[int]]]
    """Maps a split to pixels (N, H, W), class indices (N,), and the positions of its images in these arrays."""
    how: str
    """How splits that the files lack are drawn or carved; empty if they have all of them."""


def resolve(text: str) -> IdxImages:
    """Returns the task of `<folder>[@digest]`, pinned to the present content.

    Raises:
        DataError: The folder is missing or has no IDX files, or the digest does not match.
    """
    path, given = path_and_digest(SCHEME, text)
    folder = folder_at(path)
    files = [file for pairs in _pairs(folder).values() for pair in pairs.values() for file in pair]
    if not files:
        names = listed(sorted(entry.name for entry in folder.iterdir()))
        there = f"there are {hint}" if (hint := images_hint(folder)) else f"there is {names}"
        raise DataError(f"{folder}: no two files such as train-images-idx3-ubyte and train-labels-idx1-ubyte; {there}")
    return IdxImages(f"{SCHEME}{path}@{checked_digest(SCHEME, text, given, digest(files))}")


# Only two are cached, since a data set of MNIST's size takes 50 MB.
@lru_cache(maxsize=2)
def _read(task: IdxImages) -> _Read:
    import numpy as np

    folder = folder_at(named_path(task.name))
    sets = _pairs(folder)
    if task.subset not in sets and (task.subset or len(sets) > 1):
        raise DataError(f"{folder}: choose one of its data sets, as [subset={sorted(sets)[0]}]: {listed(sorted(sets))}")
    pairs = sets[task.subset] if task.subset in sets else next(iter(sets.values()))
    if "train" not in pairs:
        raise DataError(f"{folder}: there is no training pair, but {listed(sorted(pairs))}")
    raw = {split: read_labelled(*pairs[split], _LARGEST_LABEL + 1) for split in NAMES if split in pairs}
    if empty := [split for split, (_, labels) in raw.items() if not len(labels)]:
        raise DataError(f"{pairs[empty[0]][0]}: the file has no images")
    numbers = sorted({int(label) for label in raw["train"][1]})
    if len(numbers) < 2:
        raise DataError(f"{pairs['train'][1]}: every label is {numbers[0]}; there must be at least two classes")
    names = names_in(task.labels) or tuple(map(str, numbers))
    if task.labels:
        # Some sets, such as EMNIST's letters, count from 1.
        first = 1 if numbers[0] > 0 and numbers[-1] == len(names) else 0
        numbers = list(range(first, first + len(names)))
    renames = LabelMap(renamed_pairs(task.map))
    renames.check(names, str(folder))
    classes = renames.names(names)
    if len(classes) < 2:
        raise DataError(f"{folder}: map= leaves one class, {classes[0]!r}; there must be at least two")
    # Maps the position of a label in `numbers` to the index of its class, since map= may merge classes.
    class_of = np.array([classes.index(renames.name(name)) for name in names])
    splits: dict[str, tuple[np.ndarray, np.ndarray, Sequence[int]]] = {}
    for split, (pixels, labels) in raw.items():
        if wrong := sorted({int(label) for label in labels} - set(numbers)):
            raise DataError(
                f"{pairs[split][1]}: the label {wrong[0]} is none of the {len(names)} classes {listed(names)}; "
                "[labels=a+b+c] declares all of them"
            )
        splits[split] = (pixels, class_of[(labels[:, None] == numbers).argmax(axis=1)], range(len(labels)))
    is_split = set(splits) != {"train"}
    if is_split and "test" not in splits:
        splits["test"] = splits.pop("validation")
    pixels, targets, _ = splits["train"]
    images = Images(lambda: [image.tobytes() for image in pixels], targets.tolist())
    sizes = {split: len(rows) for split, (_, _, rows) in splits.items()}
    parts, how = divided(task.name, sizes, images, task.division, is_split=is_split)
    splits |= {split: (pixels, targets, rows) for split, rows in parts.items()}
    return _Read(classes, {split: splits[split] for split in NAMES if split in splits}, how)


def _positive_class(task: IdxImages, classes: Sequence[str]) -> tuple[int, str]:
    return positive_class(task.name, task.metric, task.positive_class, classes)


def _pairs(folder: Path) -> dict[str, dict[str, tuple[Path, Path]]]:
    """Returns the images and labels of each split of each data set in a folder, by the files' names."""
    found: dict[tuple[str, str], dict[str, Path]] = {}
    for file in sorted(folder.iterdir()):
        match = _NAME.fullmatch(file.name)
        if not match or not file.is_file():
            continue
        if split := "test" if match["split"].lower() == "t10k" else split_of(match["split"]):
            # Sorted, so that an unpacked file is preferred to its .gz copy.
            found.setdefault((match["set"], split), {}).setdefault(match["what"].lower(), file)
    pairs: dict[str, dict[str, tuple[Path, Path]]] = {}
    for (name, part), files in found.items():
        if len(files) == 2:
            pairs.setdefault(name, {})[part] = (files["images"], files["labels"])
    return pairs
