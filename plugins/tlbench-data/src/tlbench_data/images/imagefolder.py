"""`imagefolder:<path>`: a task made of your own images, one folder per class, or with their labels in a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from tlbench import Classes, DataError, Examples, ImageFile, SplitName, Task, UsageError
from tlbench_data.columns.label_checks import look_alike_note
from tlbench_data.columns.metric_choice import chosen_first, positive_class
from tlbench_data.columns.output_kinds import OF_ONE_CLASS
from tlbench_data.columns.renamed_labels import LabelMap
from tlbench_data.images.image_checks import content_key, decoded, digest, examples_of
from tlbench_data.images.image_division import ImageDivision, Images, divided, refuse_straddling_images
from tlbench_data.images.image_folders import LabelledFile, class_of
from tlbench_data.images.image_labels import is_table, labelled_files
from tlbench_data.images.image_layout import ALL, layout_of, left_out_text
from tlbench_data.images.pinned_folders import checked_digest, folder_at, named_path, path_and_digest
from tlbench_data.name_lists import renamed_pairs
from tlbench_data.option_fields import option
from tlbench_data.own.name_files import check_classes, names_in, pinned_names
from tlbench_data.own.named_files import beside, pin, pinned_path
from tlbench_data.own.own_parameters import check_map, check_metric, check_metric_fits
from tlbench_data.split_names import NAMES

SCHEME = "imagefolder:"
_SAID = {
    "orientation": "turned as their EXIF says",
    "alpha": "with transparent parts, laid on white",
    "depth": "of 16 bits, scaled to 8",
}


@dataclass(frozen=True)
class ImageFolder(Task):
    """Images in one folder per class, inside split folders, or split with a seed if there are none.

    If there is a validation folder but no test folder, it becomes the test split, and validation is carved from train.
    """

    name: str
    labels: str = option("", "all classes, as a+b+c or a file with one on each line; or a table of files and labels")
    map: str = option("", "renames or joins classes, as old:new+old2:new2")
    drop_missing: bool = option(False, "leaves out rows of a table of labels without an image or a label")
    skip_unreadable: bool = option(False, "leaves out images that cannot be read, for whatever reason")
    metric: str = option("", "primary metric, if not accuracy")
    positive_class: str = option("", "positive class of metric=f1, precision or recall; the second of two")
    follow_links: bool = option(False, "reads images through links that lead out of the folder")
    split_seed: int = option(0, "seed of the splits that the folder lacks")
    validation: str = option("", "share of the images for validation, such as 0.1; of train's if there are splits")
    test: str = option("", "share of the images for the test, in a folder without splits")
    group: str = option("", "column of a table in labels= of what images belong to, such as a patient: not divided")
    time: str = option("", "column of a table in labels= of dates or numbers: the earliest train, the latest test")

    modality = "image"

    def __post_init__(self) -> None:
        for split, share in (("validation", self.division.validation), ("test", self.division.test)):
            if share:
                # One form for all ways to write a number, since the name is the task's identity.
                object.__setattr__(self, split, str(share))
        for parameter in ("group", "time"):
            if (column := getattr(self, parameter)) and not is_table(self.labels):
                raise UsageError(f"{self.name}: {parameter}={column} is a column of a table, as in [labels=labels.csv]")
        if is_table(self.labels):
            # Pinned, because the task's name, its identity, must fix the content of every file.
            object.__setattr__(self, "labels", pin("csv", beside(self.path, self.labels)))
        elif self.labels:
            object.__setattr__(self, "labels", pinned_names(self.name, "labels", self.path, self.labels))
            check_classes(self.name, self.labels)
        check_map(self.name, self.map)
        check_metric(self.name, self.metric, self.positive_class)
        check_metric_fits(self.name, self.metric, Classes(()))
        if self.drop_missing and not is_table(self.labels):
            raise UsageError(f"{self.name}: drop_missing= is for a table of labels, as labels=labels.csv; leave it out")

    @property
    def path(self) -> Path:
        """The folder without its digest; an archive is unpacked into the cache first."""
        return folder_at(named_path(self.name))

    @property
    def division(self) -> ImageDivision:
        """How the images are divided into the splits that the folder lacks.

        Raises:
            UsageError: An option is not valid.
        """
        return ImageDivision.of(self.name, self.split_seed, self.validation, self.test, self.group, self.time)

    @property
    def output(self) -> Classes:  # type: ignore[override]
        """The classes: those declared, else folder names in alphabetical order, those of train where there are splits.

        Raises:
            DataError: The folder has fewer than two classes, or a class that occurs only in the test split.
        """
        return Classes(_read(self).classes)

    @property
    def metrics(self) -> tuple[str, ...]:  # type: ignore[override]
        """The metrics of classification, the chosen one first."""
        return chosen_first(self.metric, ("accuracy", "f1_macro"))

    @property
    def positive(self) -> int:  # type: ignore[override]
        """Index of the positive class of F1, precision and recall.

        Raises:
            DataError: The folder is no task, or has no such class.
        """
        if self.metric not in OF_ONE_CLASS:
            return Task.positive
        return positive_class(self.name, self.metric, self.positive_class, _read(self).classes)[0]

    @property
    def sizes(self) -> Mapping[str, int]:  # type: ignore[override]
        """Number of readable images in each split.

        Raises:
            DataError: An image cannot be read, or the folder is no task.
        """
        return {
            split: sum(isinstance(image, ImageFile) for image in images) for split, images in self._images().items()
        }

    @property
    def description(self) -> str:  # type: ignore[override]
        """One line on classes, splits, what is left out and how images are opened.

        Raises:
            DataError: An image cannot be read, or the folder is no task.
        """
        read = _read(self)
        sizes = ", ".join(f"{size:,} {split}" for split, size in self.sizes.items())
        splits = ", ".join(f"{split} from {folder}/" for split, folder in read.places.items())
        how = "; ".join(filter(None, (splits, read.how)))
        return "; ".join([f"Your images of {len(read.classes)} classes", f"{sizes} ({how})", *self.reading_notes])

    @property
    def reading_notes(self) -> tuple[str, ...]:
        """Notes for `tlbench check`: what is left out, how images are opened and where the labels come from.

        Raises:
            DataError: An image cannot be read, or the folder is no task.
        """
        read = _read(self)
        images = [image for each in self._images().values() for image in each]
        adjusted = Counter(kind for image in images if isinstance(image, ImageFile) for kind in image.adjusted)
        unreadable = sum(isinstance(image, DataError) for image in images)
        notes = [
            left_out_text({**read.left_out, **({"cannot be read": unreadable} if unreadable else {})}),
            *(f"{count:,} {_SAID[kind]}" for kind, count in adjusted.items()),
            *read.notes,
        ]
        return tuple(filter(None, notes))

    def split(self, name: SplitName) -> Examples | None:
        """Returns the examples of a split, each image decoded once to check it.

        Raises:
            DataError: An image cannot be decoded, a class is not in train, or a split is empty or has one class only.
        """
        read = _read(self)
        if name not in read.files:
            return None
        rows = examples_of(read.files[name], read.classes, skip_unreadable=self.skip_unreadable, pin=self._pin)
        if not rows:
            raise DataError(f"{self.path}: no image is left for the {name} split")
        if name == "train" and len(classes := {row.target for row in rows}) < 2:
            only = read.classes[classes.pop()]
            raise DataError(f"{self.path}: only the class {only!r} is left to train on; add images of another class")
        return Examples(rows)

    def missing(self) -> str | None:
        """Returns a message if the folder no longer exists, or None."""
        path = named_path(self.name)
        # Not `self.path`, which would unpack an archive.
        return None if path.exists() else f"{path} does not exist any more"

    @property
    def _pin(self) -> str:
        return self.name.rpartition("@")[2]

    def _images(self) -> dict[str, Sequence[ImageFile | DataError]]:
        files = _read(self).files
        # Decoded all at once, so that unreadable images are counted over all splits.
        every = [file for each in files.values() for file in each]
        images = iter(decoded(every, skip_unreadable=self.skip_unreadable, pin=self._pin))
        return {split: [next(images) for _ in each] for split, each in files.items()}


@dataclass(frozen=True)
class _Read:
    """The files of a task before any image is decoded."""

    classes: tuple[str, ...]
    files: Mapping[str, Sequence[LabelledFile]]
    places: Mapping[str, str]
    left_out: Mapping[str, int]
    notes: tuple[str, ...]
    how: str
    """How splits that the folder lacks are drawn or carved; empty if it has all of them."""


# Cached, because every property needs it; the task's name pins the content, so listing once per process is enough.
@lru_cache(maxsize=8)
def _read(task: ImageFolder) -> _Read:
    layout = layout_of(task.path, follow_links=task.follow_links)
    left_out = Counter(layout.left_out)
    notes: list[str] = []
    renames = LabelMap(renamed_pairs(task.map))
    if is_table(task.labels):
        table = pinned_path(task.labels)
        every = [file for each in layout.files.values() for file in each]
        labelled, without = labelled_files(
            table, task.path, every, task.group, task.time, drop_missing=task.drop_missing
        )
        # Adding counters drops reasons whose count is 0.
        left_out += Counter(without)
        if table.is_relative_to(task.path):
            # The table itself is not left out.
            left_out -= Counter({table.suffix.lower(): 1})
        files = replace(layout, folder=table, files=labelled).renamed(renames).files
        labels = {file.label for each in files.values() for file in each}
        # Numbers in numeric order: "10" after "9".
        numbered = all(label.isdecimal() for label in labels)
        classes = tuple(sorted(labels, key=int) if numbered else sorted(labels))
        if len(classes) < 2:
            raise DataError(f"{table}: every image has the label {classes[0]!r}; there must be at least two classes")
        places: Mapping[str, str] = {}
        notes.append(f"labels from {table.name}")
    else:
        declared = tuple(map(class_of, names_in(task.labels)))
        if renames:
            layout = layout.renamed(renames)
            train = next(iter(layout.files.values()))
            declared = declared or tuple(sorted({file.label for file in train}))
        files, places, classes = layout.files, layout.splits, layout.classes(declared)
        if len(classes) < 2:
            raise DataError(f"{task.path}: map= leaves one class, {classes[0]!r}; there must be at least two")
        if joined := layout.joined():
            notes.append(f"folders in two Unicode forms are one class: {', '.join(joined)}")
        notes += layout.inner_note()
    notes += look_alike_note(classes, "map= joins them")
    files, how = _divided(task, files)
    for split, each in files.items():
        if each and (unseen := sorted(set(classes) - {file.label for file in each})):
            notes.append(f"{split} has no image of {', '.join(unseen)}")
    if note := positive_class(task.name, task.metric, task.positive_class, classes)[1]:
        notes.append(note)
    return _Read(classes, files, places, left_out, tuple(notes), how)


def _divided(
    task: ImageFolder, files: Mapping[str, Sequence[LabelledFile]]
) -> tuple[dict[str, Sequence[LabelledFile]], str]:
    source = ALL if ALL in files else "train"
    of_source = files[source]
    refuse_straddling_images(task.name, {split: [file.group for file in each] for split, each in files.items()})
    images = Images(
        # Keyed by content, so that copies of an image under two names stay in one split.
        lambda: [content_key(file) for file in of_source],
        [file.label for file in of_source],
        [file.group for file in of_source],
        [file.time for file in of_source if file.time is not None],
    )
    sizes = {split: len(each) for split, each in files.items()}
    parts, how = divided(task.name, sizes, images, task.division, is_split=source != ALL)
    made = {split: [of_source[position] for position in positions] for split, positions in parts.items()}
    every = {**files, **made}
    return {split: every[split] for split in NAMES if split in every}, how


def resolve(text: str) -> ImageFolder:
    """Returns the task of `<path>[@digest]`, pinned to the present content.

    Raises:
        DataError: The folder is missing or cannot be read, or the digest does not match.
    """
    path, given = path_and_digest(SCHEME, text)
    # With what links lead to, which an option may have read.
    layout = layout_of(folder_at(path), follow_links=True)
    current = digest([file for files in layout.files.values() for file in files])
    return ImageFolder(f"{SCHEME}{path}@{checked_digest(SCHEME, text, given, current)}")
