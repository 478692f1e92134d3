"""A task made of your own file or folder: read and checked whole when somebody first asks what it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path

from tlbench import METRICS, Classes, DataError, Examples, Metric, Output, SplitName, Task, UsageError
from tlbench_data.drawing import check_seed
from tlbench_data.own import output_kinds as kinds
from tlbench_data.own.named_files import beside, pin, pinned_path, standard
from tlbench_data.own.own_splits import ALL, Part, Prepared, contents, prepare, shared
from tlbench_data.own.schemes import Format
from tlbench_data.readers.rows import listed, shown

_SPLITS = ("train", "validation", "test")
_OF_COLUMNS = ("text", "text2", "label", "header", "quotes", "separator", "kind", "max_length", "positive_class")
_READ_BY: dict[str, tuple[str, ...]] = {
    "conll": _OF_COLUMNS,
    "squad": (*_OF_COLUMNS, "encoding"),
    "jsonl": ("header", "quotes"),
    "parquet": ("header", "quotes", "encoding"),
    "hub": ("header", "quotes", "encoding"),
}
"""Scheme to the parameters that mean nothing to it."""


@dataclass(frozen=True)
class OwnTask(Task):
    """A task made of files: `<scheme>:<absolute path>@<digest of the content>`.

    Raises:
        UsageError: A parameter that cannot be, or a file that is not there.
    """

    name: str
    text: str = ""
    """The column of the text; found by its name where empty, as are the others."""
    text2: str = ""
    """The column of a second text, for pairs."""
    label: str = ""
    kind: str = ""
    """classes, multilabel, scalar, text or tokens; inferred where empty."""
    train: str = ""
    """A file for this split, where it is not called train.*; the same for the other two."""
    validation: str = ""
    test: str = ""
    header: bool = True
    """Whether the first line names the columns; without it they are called 0, 1, ..."""
    quotes: bool = True
    """Whether a quoted field may hold separators and line ends."""
    encoding: str = "utf-8"
    separator: str = ";"
    """Between the labels of one cell, for kind=multilabel."""
    metric: str = ""
    """The primary metric, where it is not the usual one of the kind."""
    positive_class: str = ""
    """The class that counts as found, for metric=f1, precision or recall; the second of two where empty."""
    max_length: int = 64
    """Tokens of a text to write, for kind=text."""
    seed: int = 0
    """Of the 80/10/10 split, where the files are not split."""

    modality = "text"
    source = "your own files"
    licence = "yours to know"

    def __post_init__(self) -> None:
        if self.kind not in ("", *kinds.KINDS):
            raise UsageError(f"{self.name}: kind={self.kind}: there is {', '.join(kinds.KINDS)}")
        if self.metric and self.metric not in METRICS and self.metric not in (known := _all_metrics()):
            raise UsageError(f"{self.name}: metric={self.metric}: there is {', '.join(known)}")
        if self.positive_class and self.metric not in kinds.OF_ONE_CLASS:
            raise UsageError(f"{self.name}: positive_class= is for metric={', '.join(kinds.OF_ONE_CLASS)} alone")
        if not self.separator:
            raise UsageError(f"{self.name}: separator= is empty: say what stands between the labels of a cell")
        if self.max_length < 1:
            raise UsageError(f"{self.name}: max_length={self.max_length}: a text to write has 1 token or more")
        check_seed(self.name, "seed", self.seed)
        unset = {f.name: f.default for f in fields(self)}
        for parameter in _READ_BY.get(self.scheme, ()):
            if getattr(self, parameter) != unset[parameter]:
                raise UsageError(f"{self.name}: {self.scheme}: has no use for {parameter}=")
        if self.scheme != "hub":
            for split in _SPLITS:
                if given := getattr(self, split):
                    object.__setattr__(self, split, pin(self.scheme, beside(self._folder, given)))

    @property
    def scheme(self) -> str:
        """What stands before the colon."""
        return self.name.partition(":")[0]

    @property
    def output(self) -> Output:  # type: ignore[override]
        """What the labels ask for.

        Raises:
            DataError: The files cannot be used.
        """
        return self._prepared().output

    @property
    def metrics(self) -> tuple[str, ...]:  # type: ignore[override]
        """The metrics of the kind of output, the chosen one first; raises as `output`."""
        usual = self._prepared().metrics
        return (self.metric, *(name for name in usual if name != self.metric)) if self.metric else usual

    @property
    def positive(self) -> int:  # type: ignore[override]
        """The index of the class that F1, precision and recall are of; raises as `output`."""
        if not self.positive_class:
            return Task.positive
        output = self.output
        return output.names.index(self.positive_class) if isinstance(output, Classes) else Task.positive

    @property
    def description(self) -> str:  # type: ignore[override]
        """What was made of the files: kind, columns and splits; raises as `output`."""
        return self._prepared().description

    @property
    def sizes(self) -> Mapping[str, int]:  # type: ignore[override]
        """How many examples each split has; raises as `output`."""
        return {split: len(examples) for split, examples in self._prepared().splits.items()}

    def split(self, name: SplitName) -> Examples | None:
        """Returns the examples of a split, or None where there is none; raises as `output`."""
        return self._prepared().splits.get(name)

    def parts(self) -> list[Part]:
        """Returns the files, and the split that each holds; one part called `all` where they are not split.

        Raises:
            DataError: Files that do not make up a task.
        """
        given = {split: [pinned_path(getattr(self, split))] for split in _SPLITS if getattr(self, split)}
        path = self._path
        if path.is_dir():
            named = contents(*given.values())
            # A file that was named for one split stands for no other.
            usual = standard(self.scheme, path).items()
            given = {**{split: files for split, files in usual if not named & contents(files)}, **given}
        elif given:
            given = {"train": [path], **given}
        else:
            return [Part(ALL, [path])]
        if shared(given):
            raise DataError(f"{path}: one file is named for two splits")
        if not given.get("train"):
            raise DataError(f"{path}: no file is called train.*; name one, as [train=...,test=...]")
        if set(given) == {"train"}:
            return [Part(ALL, given["train"])]
        if "test" not in given:
            raise DataError(f"{path}: no file is called test.*; name one, as [test=...]")
        return [Part(split, given[split]) for split in _SPLITS if split in given]

    @property
    def _path(self) -> Path:
        return pinned_path(self.name.partition(":")[2])

    @property
    def _folder(self) -> Path:
        path = self._path
        return path if path.is_dir() else path.parent

    def _prepared(self) -> Prepared:
        return _read(self)


def _all_metrics() -> Mapping[str, Metric]:
    """Returns tlbench's metrics and those of plugins, which are looked for only where a name is not tlbench's own."""
    from tlbench.catalog.catalog import Catalog

    return Catalog.discover().metrics


def resolve(scheme: str, text: str) -> Task:
    """Returns the task of a file or folder, pinned to what it holds now.

    Raises:
        UsageError: Not there, or changed since it was pinned.
    """
    return OwnTask(f"{scheme}:{pin(scheme, text)}", quotes=scheme != "tsv")


@lru_cache(maxsize=8)
def _read(task: OwnTask) -> Prepared:
    column = kinds.TargetColumn(task.label, task.kind, task.separator, task.max_length)
    form = Format(task.scheme, task.header, task.quotes, task.encoding)
    prepared = prepare(task.parts(), form, column, (task.text, task.text2), task.seed)
    return replace(prepared, description=prepared.description + _of_one_class(task, prepared.output))


def _of_one_class(task: OwnTask, output: Output) -> str:
    """Returns what a description adds of a metric of one class: which one it is."""
    if task.metric not in kinds.OF_ONE_CLASS or not isinstance(output, Classes):
        return ""
    names = output.names
    if not task.positive_class and len(names) > 2:
        raise DataError(
            f"{task.name}: {task.metric} is of one class, and there are {len(names)}: "
            f"say metric={task.metric}_macro or positive_class="
        )
    if task.positive_class and task.positive_class not in names:
        raise DataError(f"{task.name}: positive_class={task.positive_class}: there is {listed(names)}")
    return f"; {task.metric} of {shown(task.positive_class or names[Task.positive])}"
