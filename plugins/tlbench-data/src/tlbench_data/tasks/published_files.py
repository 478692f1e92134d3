"""Base classes of tasks that are read from published files: locations, sizes, and messages on missing files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, TypeVar

from tlbench import Classes, DataError, Example, Examples, Scalar, SplitName, Task
from tlbench_data import places
from tlbench_data.readers import Hub, Row, table

T = TypeVar("T")


def fixed(**entries: T) -> Mapping[str, T]:
    """Returns a read-only mapping of the keyword arguments."""
    return MappingProxyType(entries)


@dataclass(frozen=True)
class FileTask(Task):
    """A task whose splits are in one folder below the data root, or in the hub cache."""

    modality = "text"
    folders: ClassVar[tuple[str, ...]]
    """Possible paths of the task's folder below a data root; error messages name the first one."""
    files: ClassVar[Mapping[str, tuple[str, ...]]]
    """Maps a key to the alternative names of one file; the key is the split's name if each split has one file."""
    splits: ClassVar[tuple[SplitName, ...]] = ("train", "validation", "test")
    hub: ClassVar[Hub | None] = None
    hub_splits: ClassVar[Mapping[str, str]] = fixed(train="train", validation="validation", test="test")
    """Maps a split to its name on the hub."""

    def needed(self) -> Mapping[str, tuple[str, ...]]:
        """Returns the files to read, in the form of `files`; override it in tasks whose params determine the files."""
        return self.files

    def is_published(self) -> bool:
        """Returns whether the hub's tables contain the data that the task's parameters select, such as a language."""
        return True

    def alternatives(self) -> Iterable[str]:
        """Returns the parameter values whose data is available, for the message on missing files."""
        return ()

    def read(self, split: SplitName, folder: Path) -> Iterable[Example]:
        """Returns the examples of a split in a local folder; groups are kept in the test split only.

        Groups of training examples would change which of them are carved out for validation, and so all scores.
        """
        raise NotImplementedError

    def read_hub(self, split: SplitName, rows: Iterator[Row]) -> Iterable[Example]:
        """Returns the examples of a split from the rows of the hub's tables; groups as in `read`."""
        raise NotImplementedError

    def split(self, name: SplitName) -> Examples | None:
        """Returns the examples of a split, or None if the task has no such split.

        Raises:
            DataError: Files are missing, cannot be used, or are not as published.
        """
        if name not in self.splits:
            return None
        folder = self._folder()
        # Local files come first: setting TLBENCH_DATA is a choice, while anything may have filled the hub cache.
        if folder is not None:
            examples, where = Examples(self.read(name, folder)), str(folder)
        elif files := self._hub_files(name):
            rows = chain.from_iterable(table(path) for path in files)
            examples, where = Examples(self.read_hub(name, rows)), str(files[0].parent)
        else:
            raise DataError(self.missing() or f"{self.name}: the {name} split is not on this machine")
        # A truncated or edited file would give scores that look comparable with published ones and are not.
        expected = self.sizes.get(name, len(examples))
        if len(examples) != expected or not examples:
            raise DataError(
                f"{where}: {len(examples)} examples in {name} of {self.name}, where {expected} are published"
            )
        return examples if name == "test" else examples.without_groups()

    def missing(self) -> str | None:
        """Returns a message that says which files are missing and how to get them, or None if the task can be read."""
        if self._folder() is not None or self._on_hub():
            return None
        files = [names[0] for names in self.needed().values()]
        advice = places.advice(
            self.name, self.folders[0], files, fetchable=self.hub is not None and self.is_published()
        )
        return "; ".join([advice, *self.alternatives()])

    def fetch(self) -> None:
        """Downloads the hub's files to its cache, unless the task can be read already.

        Raises:
            DataError: The task is not on the hub.
            UsageError: The files cannot be downloaded.
        """
        if self._folder() is not None or self._on_hub():
            return
        if self.hub is None or not self.is_published():
            raise DataError(self.missing() or self.name)
        self.hub.fetch([self.hub_splits[split] for split in self.splits if split in self.hub_splits])

    def path(self, folder: Path, key: str) -> Path:
        """Returns the path of the file with this key of `needed`, in a folder that contains the task's files."""
        names = self.needed()[key]
        # If no file exists, the first name is returned, so that a reader's error can name the missing file.
        return places.pick(folder, names) or folder / names[0]

    def _folder(self) -> Path | None:
        return places.find(self.folders, self.needed().values())

    def _on_hub(self) -> bool:
        # Checks all splits, since a run could otherwise train for hours and then lack its test split.
        return self.hub is not None and self.is_published() and all(self._hub_files(split) for split in self.splits)

    def _hub_files(self, split: SplitName) -> list[Path]:
        return self.hub.files(self.hub_splits[split]) if self.hub and split in self.hub_splits else []


@dataclass(frozen=True)
class TableTask(FileTask):
    """A task with one row per example: one or two texts, and a class or a number."""

    texts: ClassVar[tuple[str, ...]] = ("text",)
    may_be_empty: ClassVar[tuple[str, ...]] = ()
    """The columns of `texts` that are empty in some published rows."""
    label: ClassVar[str] = "label"
    codes: ClassVar[tuple[str, ...]] = ()
    """Values of the label column, in the order of the classes; if empty, the column contains the class names."""
    renames: ClassVar[Mapping[str, str]] = fixed()
    """Maps the files' or the hub's column names to the names used here."""

    @property
    def pairs(self) -> bool:  # type: ignore[override]
        """Whether an example has two texts."""
        return len(self.texts) == 2

    def rows(self, path: Path) -> Iterator[Row]:
        """Yields the rows of a file; override it for files whose suffix does not identify their format."""
        return table(path)

    def slices_of(self, row: Row, inputs: tuple[str, ...]) -> dict[str, str]:
        """Returns the slices that a row belongs to, by slice dimension; none by default."""
        return {}

    def read(self, split: SplitName, folder: Path) -> Iterator[Example]:
        """Yields one example per row of the split's file."""
        return self.read_hub(split, self.rows(self.path(folder, split)))

    def read_hub(self, split: SplitName, rows: Iterator[Row]) -> Iterator[Example]:
        """Yields one example per row; its id is the split and the row's index."""
        for number, row in enumerate(rows):
            yield self.example(f"{split}-{number}", row)

    def example(self, identity: str, row: Row) -> Example:
        """Returns the example that a row describes.

        Raises:
            DataError: A column is missing, or has an invalid value.
        """
        if self.renames:
            # Before anything is read, so that errors name the columns as the task does.
            row = replace(row, values={self.renames.get(name, name): value for name, value in row.values.items()})
        inputs = tuple(row.text(column, may_be_empty=column in self.may_be_empty) for column in self.texts)
        return Example(identity, inputs, self._target(row), self.slices_of(row, inputs))

    def _target(self, row: Row) -> int | float:
        output = self.output
        if isinstance(output, Scalar):
            return row.real(self.label)
        assert isinstance(output, Classes)
        return row.index(self.label, self.codes or output.names)


def by_length(text: str, short: int, long: int) -> str:
    """Returns the length slice of a text: "short" up to `short` words, "long" above `long`, else "middle"."""
    words = len(text.split())
    return "short" if words <= short else "long" if words > long else "middle"
