"""Reads the labels of images from a table that lists file names and labels."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from tlbench import DataError
from tlbench_data.columns.label_values import class_key, is_missing, named_classes, text_of
from tlbench_data.columns.left_out import check_characters
from tlbench_data.division.row_groups import with_groups
from tlbench_data.images.image_folders import LabelledFile
from tlbench_data.images.image_layout import ALL
from tlbench_data.own.schemes import Format, rows_of
from tlbench_data.readers.rows import Row, listed
from tlbench_data.split_names import NAMES, split_of

_TABLES = {".csv": "csv", ".tsv": "tsv"}
_FILES = ("file_name", "filename", "file", "image", "image_name", "image_path", "path", "image_id", "id")
_LABELS = ("label", "labels", "class", "class_name", "category", "target", "breed", "species")
_NAMED = 10


def is_table(labels: str) -> bool:
    """Returns whether the parameter `labels` names a table, with or without a digest, rather than the classes."""
    return any(_suffix(text) in _TABLES for text in (labels, labels.rpartition("@")[0]))


def labelled_files(
    table: Path,
    folder: Path,
    files: Sequence[LabelledFile],
    group: str = "",
    time: str = "",
    *,
    drop_missing: bool = False,
) -> tuple[dict[str, list[LabelledFile]], dict[str, int]]:
    """Returns the labelled images of each split, or of `ALL`, and how many images and rows were left out, by reason.

    A row names its image by the path relative to the folder or to the table, or by the file's name, with or without
    the suffix. A column `split`, if there is one, has the image's split. `group` and `time` name the columns with the
    image's group and time, or are "". With `drop_missing`, rows without an image or a label are left out.

    Raises:
        DataError: The columns cannot be recognised, or a row has no label, no image, or the image of another row.
    """
    read, _ = rows_of([table], Format(_TABLES[_suffix(str(table))], quotes=_suffix(str(table)) == ".csv"))
    rows = with_groups(read, group, time, ())
    name, label = _columns(rows[0])
    check_characters(rows, (name, label))
    known = _by_name(table, folder, files)
    named = [row for row in rows if _key(row.text(name)) in known]
    labelled = [row for row in named if not is_missing(row.value(label))]
    if len(named) < len(rows) and not drop_missing:
        lost = [row.text(name) for row in rows if _key(row.text(name)) not in known]
        raise DataError(
            f"{table}: {len(lost)} of {len(rows)} rows name no image in {folder}: {', '.join(lost[:_NAMED])}"
            f"{f' and {len(lost) - _NAMED} more' if len(lost) > _NAMED else ''}; drop_missing=true leaves them out"
        )
    if len(labelled) < len(named) and not drop_missing:
        lines = [str(row.number) for row in named if is_missing(row.value(label))]
        raise DataError(
            f"{table}: {len(lines)} of {len(rows)} rows have no label (line {', '.join(lines[:_NAMED])}"
            f"{f' and {len(lines) - _NAMED} more' if len(lines) > _NAMED else ''}); drop_missing=true leaves them out"
        )
    if not labelled:
        raise DataError(f"{table}: no row has an image and a label")
    texts = [text_of(row.value(label)) for row in labelled]
    # Whole numbers with and without a point are one class, as in tables of texts.
    classes = {
        class_key(text): class_name for class_name, texts_of in named_classes(texts).items() for text in texts_of
    }
    splits: dict[str, list[LabelledFile]] = {}
    used: set[str] = set()
    for row in labelled:
        file = known[_key(row.text(name))]
        if file.id in used:
            raise row.error(f"{row.text(name)} has a label in an earlier row")
        used.add(file.id)
        splits.setdefault(_split(row), []).append(
            LabelledFile(file.path, classes[class_key(row.text(label))], file.id, row.group, row.time)
        )
    if set(splits) != {ALL} and not {"train", "test"} <= set(splits):
        raise DataError(f"{table}: the column split names {listed(sorted(splits))}; it must name train and test")
    left_out = {
        f"images that {table.name} does not name": len(files) - len({known[_key(row.text(name))].id for row in named}),
        f"rows of {table.name} without an image": len(rows) - len(named),
        f"rows of {table.name} without a label": len(named) - len(labelled),
    }
    return {split: splits[split] for split in (ALL, *NAMES) if split in splits}, left_out


def _columns(row: Row) -> tuple[str, str]:
    # Headers are often capitalised, as in "File,Label".
    by_name = {column.casefold(): column for column in row.values}
    names = [by_name[column] for column in _FILES if column in by_name]
    labels = [by_name[column] for column in _LABELS if column in by_name]
    others = [column for column in row.values if column != "split"]
    # If one column of two is recognised, the remaining one is the other.
    if len(others) == 2 and len(names) + len(labels) == 1:
        names, labels = names or [c for c in others if c != labels[0]], labels or [c for c in others if c != names[0]]
    if not names or len(labels) != 1:
        raise DataError(
            f"{row.path}: its columns are {listed(row.values)}; call one of them file_name and the one of classes label"
        )
    return names[0], labels[0]


def _by_name(table: Path, folder: Path, files: Iterable[LabelledFile]) -> dict[str, LabelledFile]:
    """Maps every name by which a row may refer to an image to its file, except names that several images share."""
    known: dict[str, LabelledFile] = {}
    counts: Counter[str] = Counter()
    for file in files:
        path = file.path.relative_to(folder)
        names = {path.as_posix(), path.with_suffix("").as_posix(), path.name, path.stem}
        if file.path.is_relative_to(table.parent):
            names.add(file.path.relative_to(table.parent).as_posix())
        for name in map(_key, names):
            counts[name] += 1
            known[name] = file
    return {name: file for name, file in known.items() if counts[name] == 1}


def _key(name: str) -> str:
    # Tables made on Windows separate folders by backslashes; those made on macOS may have decomposed accents.
    return unicodedata.normalize("NFC", name.replace("\\", "/").removeprefix("./"))


def _split(row: Row) -> str:
    if "split" not in row.values:
        return ALL
    split = split_of(row.text("split"))
    if split is None:
        raise row.error(f"split is {row.text('split')!r}, which is none of train, validation, test")
    return split


def _suffix(path: str) -> str:
    return Path(path).suffix.lower()
