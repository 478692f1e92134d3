"""What tasks read from files share: where the files are, how many rows were published, and what to say without them."""

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
    """Returns a mapping that cannot be changed."""
    return MappingProxyType(entries)


@dataclass(frozen=True)
class FileTask(Task):
    """A task whose splits lie in one folder below the data root, or in the hub cache."""

    modality = "text"
    folders: ClassVar[tuple[str, ...]]
    """Where the folder may be below the data root; the first is the one to tell of."""
    files: ClassVar[Mapping[str, tuple[str, ...]]]
    """A name for each file that is read, and the file names that it may have. Named as splits where each has one."""
    splits: ClassVar[tuple[SplitName, ...]] = ("train", "validation", "test")
    hub: ClassVar[Hub | None] = None
    hub_splits: ClassVar[Mapping[str, str]] = fixed(train="train", validation="validation", test="test")
    """Ours to the hub's."""

    def needed(self) -> Mapping[str, tuple[str, ...]]:
        """Returns the files to read, as `files`; override it where parameters choose them."""
        return self.files

    def read(self, split: SplitName, folder: Path) -> Iterable[Example]:
        """Returns the examples of a split in a local folder."""
        raise NotImplementedError

    def read_hub(self, split: SplitName, rows: Iterator[Row]) -> Iterable[Example]:
        """Returns the examples of a split from the rows of the hub's tables."""
        raise NotImplementedError

    def split(self, name: SplitName) -> Examples | None:
        """Returns the examples of a split, or None where there is no such split.

        Raises:
            DataError: Files that are not here, cannot be used, or do not hold what was published.
        """
        if name not in self.splits:
            return None
        folder = self._folder()
        if folder is not None:
            examples, where = Examples(self.read(name, folder)), str(folder)
        elif files := self._hub_files(name):
            rows = chain.from_iterable(table(path) for path in files)
            examples, where = Examples(self.read_hub(name, rows)), str(files[0].parent)
        else:
            raise DataError(self.missing() or f"{self.name}: the {name} split is not here")
        expected = self.sizes.get(name, len(examples))
        if len(examples) != expected or not examples:
            raise DataError(
                f"{where}: {len(examples)} examples in {name} of {self.name}, where {expected} are published"
            )
        return examples

    def missing(self) -> str | None:
        """Returns what is not on this machine and how to get it, or None."""
        if self._folder() is not None or self._on_hub():
            return None
        files = [names[0] for names in self.needed().values()]
        return places.advice(self.name, self.folders[0], files, fetchable=self.hub is not None)

    def fetch(self) -> None:
        """Brings the files of the hub into its cache; what is there is left alone.

        Raises:
            UsageError: They are on no hub, or cannot be had.
        """
        if self._folder() is not None or self._on_hub():
            return
        if self.hub is None:
            raise DataError(self.missing() or self.name)
        self.hub.fetch([self.hub_splits[split] for split in self.splits if split in self.hub_splits])

    def path(self, folder: Path, key: str) -> Path:
        """Returns one of the files in a folder that has them all."""
        names = self.needed()[key]
        return places.pick(folder, names) or folder / names[0]

    def _folder(self) -> Path | None:
        return places.find(self.folders, self.needed().values())

    def _on_hub(self) -> bool:
        return self.hub is not None and all(self._hub_files(split) for split in self.splits)

    def _hub_files(self, split: SplitName) -> list[Path]:
        return self.hub.files(self.hub_splits[split]) if self.hub and split in self.hub_splits else []


@dataclass(frozen=True)
class TableTask(FileTask):
    """A task with a row for each example: one text or two, and a class or a number."""

    texts: ClassVar[tuple[str, ...]] = ("text",)
    may_be_empty: ClassVar[tuple[str, ...]] = ()
    """Those of `texts` that are empty in some of the published rows."""
    label: ClassVar[str] = "label"
    codes: ClassVar[tuple[str, ...]] = ()
    """What stands in the files for each class, in order; the names themselves where empty."""
    renames: ClassVar[Mapping[str, str]] = fixed()
    """Columns of the files or of the hub to the names above, where they differ."""

    def rows(self, path: Path) -> Iterator[Row]:
        """Yields the rows of a file; override it where the name of the file does not say its format."""
        return table(path)

    def slices_of(self, row: Row, inputs: tuple[str, ...]) -> dict[str, str]:
        """Returns the slices that a row belongs to."""
        return {}

    def read(self, split: SplitName, folder: Path) -> Iterator[Example]:
        """Yields an example for each row of the split's file."""
        return self.read_hub(split, self.rows(self.path(folder, split)))

    def read_hub(self, split: SplitName, rows: Iterator[Row]) -> Iterator[Example]:
        """Yields an example for each row; its id is made of the split and its place."""
        for number, row in enumerate(rows):
            yield self.example(f"{split}-{number}", row)

    def example(self, identity: str, row: Row) -> Example:
        """Returns the example that a row holds.

        Raises:
            DataError: A column is missing or holds what it should not.
        """
        if self.renames:
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
    """Returns the length bucket of a text: up to `short` words, more than `long`, or between."""
    words = len(text.split())
    return "short" if words <= short else "long" if words > long else "middle"
