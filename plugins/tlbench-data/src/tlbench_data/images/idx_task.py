"""`idx:<folder>`: a task made of your own IDX files, the format of MNIST and its relatives."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from tlbench import Classes, DataError, Examples, SplitName, Task, UsageError
from tlbench_data.drawing import check_seed, draw
from tlbench_data.images.idx import read_labelled
from tlbench_data.images.image_layout import SHARES
from tlbench_data.images.image_tasks import examples_of_arrays
from tlbench_data.images.pinned_folders import checked_digest, folder_at, named_path, path_and_digest
from tlbench_data.own.named_files import digest
from tlbench_data.readers.rows import listed
from tlbench_data.split_names import NAMES, split_of

if TYPE_CHECKING:
    import numpy as np

SCHEME = "idx:"
# As published (train-images-idx3-ubyte.gz), as on Kaggle (train-images.idx3-ubyte), and after the name of a set.
_NAME = re.compile(r"(?P<set>.*?)-?(?P<split>[a-z0-9]+)-(?P<what>images|labels)[.-]idx[13]-ubyte(\.gz)?", re.IGNORECASE)
_LARGEST_LABEL = 255


@dataclass(frozen=True)
class IdxImages(Task):
    """Grey images and labels in IDX files, one pair of files for each split.

    The test split is called `t10k` or like any test split; a folder with a training pair alone is split with a seed.
    """

    name: str
    labels: str = ""
    """Names of the classes in the order of their numbers, as a+b+c; the numbers themselves if empty."""
    subset: str = ""
    """Which data set, where a folder holds several: what stands before `-train-images` in its files' names."""
    split_seed: int = 0
    """Seed of the stratified 80/10/10 split of a folder without a test pair; equal images stay in one split."""

    modality = "image"
    metrics = ("accuracy", "f1_macro")

    def __post_init__(self) -> None:
        check_seed(self.name, "split_seed", self.split_seed)
        names = self.labels.split("+")
        if self.labels and (len(set(names)) < len(names) or "" in names or len(names) < 2):
            raise UsageError(f"{self.name}: labels={self.labels}: give two or more different classes, as a+b+c")

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
        drawn = f" (80/10/10 by seed {self.split_seed}, stratified)" if read.is_drawn else ""
        height, width = read.splits["train"][0].shape[1:]
        return f"Your images of {width} x {height} grey pixels of {len(read.classes)} classes; {sizes}{drawn}"

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
        """Returns that the folder no longer exists, or None."""
        path = named_path(self.name)
        return None if path.exists() else f"{path} does not exist any more"


@dataclass(frozen=True)
class _Read:
    classes: tuple[str, ...]
    splits: Mapping[str, tuple[np.ndarray, np.ndarray, Sequence[int]]]
    """Split to pixels (N, H, W), the classes' indices (N,), and the rows that belong to it."""
    is_drawn: bool


def resolve(text: str) -> IdxImages:
    """Returns the task of `<folder>[@digest]`, pinned to the present content.

    Raises:
        DataError: The folder is missing or has no IDX files, or the digest does not match.
    """
    path, given = path_and_digest(SCHEME, text)
    folder = folder_at(path)
    files = [file for pairs in _pairs(folder).values() for pair in pairs.values() for file in pair]
    if not files:
        raise DataError(
            f"{folder}: there are no two files such as train-images-idx3-ubyte and train-labels-idx1-ubyte; "
            f"there is {listed(sorted(entry.name for entry in folder.iterdir()))}"
        )
    return IdxImages(f"{SCHEME}{path}@{checked_digest(SCHEME, text, given, digest(files))}")


# Two at most, as a data set of the family's size takes 50 MB.
@lru_cache(maxsize=2)
def _read(task: IdxImages) -> _Read:
    folder = folder_at(named_path(task.name))
    sets = _pairs(folder)
    if task.subset not in sets and (task.subset or len(sets) > 1):
        raise DataError(f"{folder}: choose one of its data sets, as [subset={sorted(sets)[0]}]: {listed(sorted(sets))}")
    pairs = sets[task.subset] if task.subset in sets else next(iter(sets.values()))
    if "train" not in pairs:
        raise DataError(f"{folder}: there is no training pair, but {listed(sorted(pairs))}")
    raw = {split: read_labelled(*pairs[split], _LARGEST_LABEL + 1) for split in NAMES if split in pairs}
    numbers = sorted({int(label) for label in raw["train"][1]})
    if len(numbers) < 2:
        raise DataError(f"{pairs['train'][1]}: every label is {numbers[0]}; there must be at least two classes")
    names = task.labels.split("+") if task.labels else [str(number) for number in numbers]
    if task.labels:
        # Some sets, such as EMNIST's letters, count from 1.
        first = 1 if numbers[0] > 0 and numbers[-1] == len(names) else 0
        numbers = list(range(first, first + len(names)))
    splits: dict[str, tuple[np.ndarray, np.ndarray, Sequence[int]]] = {}
    for split, (pixels, labels) in raw.items():
        if wrong := sorted({int(label) for label in labels} - set(numbers)):
            raise DataError(
                f"{pairs[split][1]}: the label {wrong[0]} is none of the {len(names)} classes {listed(names)}; "
                "[labels=a+b+c] declares all of them"
            )
        splits[split] = (pixels, (labels[:, None] == numbers).argmax(axis=1), range(len(labels)))
    if set(splits) == {"train"}:
        pixels, targets, _ = splits["train"]
        parts = draw([image.tobytes() for image in pixels], targets.tolist(), SHARES, task.split_seed)
        return _Read(tuple(names), {split: (pixels, targets, rows) for split, rows in parts.items()}, is_drawn=True)
    if "test" not in splits:
        splits["test"] = splits.pop("validation")
    return _Read(tuple(names), splits, is_drawn=False)


def _pairs(folder: Path) -> dict[str, dict[str, tuple[Path, Path]]]:
    """Returns the images and labels of each split of each data set in a folder, by the files' names."""
    found: dict[tuple[str, str], dict[str, Path]] = {}
    for file in sorted(folder.iterdir()):
        match = _NAME.fullmatch(file.name)
        if not match or not file.is_file():
            continue
        if split := "test" if match["split"].lower() == "t10k" else split_of(match["split"]):
            # Sorted, so that an unpacked file goes before its own archive.
            found.setdefault((match["set"], split), {}).setdefault(match["what"].lower(), file)
    pairs: dict[str, dict[str, tuple[Path, Path]]] = {}
    for (name, part), files in found.items():
        if len(files) == 2:
            pairs.setdefault(name, {})[part] = (files["images"], files["labels"])
    return pairs
