"""Finds splits and classes in a folder of images by the names of its subfolders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tlbench import DataError
from tlbench_data.columns.renamed_labels import LabelMap
from tlbench_data.images.image_folders import (
    LINKS_OUT,
    LabelledFile,
    Walk,
    class_of,
    in_class_folders,
    is_hidden,
    no_image_in,
    subfolders,
)
from tlbench_data.name_lists import as_option
from tlbench_data.own.other_sources import tables_hint
from tlbench_data.readers.rows import listed
from tlbench_data.split_names import named_splits, split_of

ALL = "all"
"""Key of the images of a folder without splits."""
_SPLIT_WORDS = ("train", "valid", "test")


@dataclass(frozen=True)
class Layout:
    """The splits, classes and image files that were found in a folder."""

    folder: Path
    files: Mapping[str, Sequence[LabelledFile]]
    """Maps each split to its files, or `ALL` to all files."""
    splits: Mapping[str, str]
    """Maps each split to the name of its folder; empty if there are none, so that splits are drawn at random."""
    class_folders: Mapping[str, Sequence[str]]
    """Maps each split, or `ALL`, to the names of its class folders as written on disk; empty if there are none."""
    left_out: Mapping[str, int]
    """Maps a reason to the number of files and folders that are left out for it."""

    def classes(self, declared: Sequence[str] = ()) -> tuple[str, ...]:
        """Returns the names of the classes: those declared, or those of the training folder in alphabetical order.

        Raises:
            DataError: There are no class folders, fewer than two classes, a class folder without images, a class that
                is in the test alone, or folders that may be splits or classes.
        """
        if not self.class_folders:
            raise self._no_classes()
        first = next(iter(self.class_folders))
        found = {split: {class_of(name) for name in names} for split, names in self.class_folders.items()}
        with_images = {split: {file.label for file in files} for split, files in self.files.items()}
        if declared:
            for split, labels in with_images.items():
                if unknown := sorted(labels - set(declared)):
                    raise DataError(
                        f"{self._place(split)}: the class {unknown[0]!r} is not in {as_option('labels', declared)}"
                    )
            return tuple(declared)
        if not self.splits:
            self._refuse_hidden_splits()
        everything = as_option("labels", sorted(set().union(*found.values())))
        for name in sorted(found[first] - with_images[first]):
            error = no_image_in(self._place(first) / name)
            if LINKS_OUT in self.left_out:
                raise DataError(f"{error}, without the links out of the folder: [follow_links=true] follows them")
            raise DataError(f"{error}; remove the folder, or declare the classes with [{everything}]")
        if len(found[first]) < 2:
            raise DataError(
                f"{self.folder}: only the class {next(iter(found[first]))!r}; there must be at least two classes"
            )
        for split, labels in with_images.items():
            if unknown := sorted(labels - found[first]):
                raise DataError(
                    f"{self._place(split)}: the class {unknown[0]!r} is not in {self.splits['train']}/; remove its "
                    f"folder, or declare the classes with [{everything}]"
                )
        return tuple(sorted(found[first]))

    def renamed(self, renames: LabelMap) -> Layout:
        """Returns the layout with the labels of its files renamed.

        Raises:
            DataError: An old name in `renames` is not the name of a class.
        """
        renames.check({file.label for files in self.files.values() for file in files}, str(self.folder))
        files = {
            split: [replace(file, label=renames.name(file.label)) for file in each]
            for split, each in self.files.items()
        }
        return replace(self, files=files)

    def joined(self) -> list[str]:
        """Returns the classes whose folder names occur in more than one Unicode form."""
        forms: dict[str, set[str]] = {}
        for names in self.class_folders.values():
            for name in names:
                forms.setdefault(class_of(name), set()).add(name)
        return sorted(name for name, written in forms.items() if len(written) > 1)

    def inner_note(self) -> list[str]:
        """Returns a note, as a list, if all classes of an undivided folder have the same two or more subfolders."""
        inner = {subfolders(self.folder / name) for name in self.class_folders.get(ALL, ())}
        same = next(iter(inner)) if len(inner) == 1 else ()
        return [f"every class folder holds {listed(same)}, which are no classes"] if len(same) > 1 else []

    def _place(self, split: str) -> Path:
        return self.folder / self.splits.get(split, "")

    def _no_classes(self) -> DataError:
        if not any(self.files.values()) and (hint := tables_hint(self.folder)):
            return DataError(f"{self.folder}: there is no image, but {hint}")
        tables = sorted(path.name for path in self.folder.glob("*.csv"))
        table = tables[0] if tables else "labels.csv"
        there = f" ({table} is there)" if tables else ""
        place = self.folder / self.splits["train"] if self.splits else self.folder
        return DataError(
            f"{place}: contains no folders; make one for each class, with its images in it, or name a table of files "
            f"and labels with [labels={table}]{there}"
        )

    def _refuse_hidden_splits(self) -> None:
        names = self.class_folders[ALL]
        inner = {name: subfolders(self.folder / name) for name in names}
        for name in names:
            twins = [other for other in names if other != name and inner[other] == inner[name]]
            if twins and len(inner[name]) > 1 and any(word in name.lower() for word in _SPLIT_WORDS):
                raise DataError(
                    f"{self.folder}: {name} and {twins[0]} look like splits, because both hold "
                    f"{', '.join(inner[name][:5])}; rename them to train and test, or declare them as classes "
                    f"with [{as_option('labels', names)}]"
                )


def layout_of(folder: Path, *, follow_links: bool) -> Layout:
    """Returns the image files of a folder with their splits and classes, which are taken from its subfolders.

    Args:
        folder: The folder of the data set.
        follow_links: Whether links out of the folder are followed.

    Raises:
        DataError: A folder cannot be read, or the names of two folders mean the same split.
    """
    walk = Walk(folder, follow_links)
    splits = split_folders(folder)
    if splits and subfolders(folder / splits["train"]):
        files = {split: in_class_folders(folder / name, walk, f"{split}/") for split, name in splits.items()}
        _count_beside(folder, splits, walk)
        class_folders = {split: subfolders(folder / name) for split, name in splits.items()}
        return Layout(folder, files, splits, class_folders, walk.left_out)
    if subfolders(folder) and not splits:
        return Layout(folder, {ALL: in_class_folders(folder, walk)}, {}, {ALL: subfolders(folder)}, walk.left_out)
    paths = sorted(walk.images(folder))
    unlabelled = [LabelledFile(path, "", path.relative_to(folder).as_posix()) for path in paths]
    return Layout(folder, {ALL: unlabelled}, splits, {}, walk.left_out)


def split_folders(folder: Path) -> dict[str, str]:
    """Returns the folder name of each split; empty if there is no training folder, so that splits must be drawn.

    If there is a validation folder but no test folder, it becomes the test split.

    Raises:
        DataError: One split has folders in two spellings, such as Train and train.
    """
    named = named_splits(subfolders(folder))
    # A class may be called "train" or "test" itself: one such folder alone is taken for a class.
    if "train" not in named or len(named) == 1:
        return {}
    for split, spellings in named.items():
        if len(spellings) > 1:
            raise DataError(f"{folder}: {' and '.join(spellings)} are both named like the {split} split; rename one")
    folders: dict[str, str] = {split: _innermost(folder, spellings[0]) for split, spellings in named.items()}
    if "test" not in folders:
        # A test split is needed for a score, and validation can be carved from train.
        folders["test"] = folders.pop("validation")
    return folders


def left_out_text(left_out: Mapping[str, int]) -> str:
    """Returns a text on how many files and folders are left out and why; "" if there are none."""
    if not left_out:
        return ""
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in Counter(left_out).most_common())
    return f"left out {sum(left_out.values()):,} ({reasons})"


def _innermost(folder: Path, name: str) -> str:
    """Returns the path of a split's folder, or of the only folder in it if that means the same split: train/train."""
    inner = subfolders(folder / name)
    return f"{name}/{inner[0]}" if len(inner) == 1 and split_of(inner[0]) == split_of(name) else name


def _count_beside(folder: Path, splits: Mapping[str, str], walk: Walk) -> None:
    used = {name.partition("/")[0] for name in splits.values()}
    for path in folder.iterdir():
        if path.name not in used and not is_hidden(path.name):
            walk.left_out["folders beside the splits" if path.is_dir() else "files beside the splits"] += 1
