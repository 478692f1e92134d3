"""`csv:`, `jsonl:`, ...: a task made of your own file or folder, read and checked completely on first use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path

from tlbench import METRICS, Classes, DataError, Examples, Metric, Output, SplitName, Task, UsageError
from tlbench_data.drawing import check_seed
from tlbench_data.own import output_kinds as kinds
from tlbench_data.own.conll_comments import COMMENTS
from tlbench_data.own.named_files import beside, pin, pinned_path, split_files, unfit_folder
from tlbench_data.own.own_splits import ALL, Part, Prepared, contents, prepare, shared
from tlbench_data.own.schemes import Format
from tlbench_data.own.tag_schemes import SCHEMES
from tlbench_data.own.tagged_words import ENTITY_METRICS, TagOptions
from tlbench_data.own.word_files import WordColumns
from tlbench_data.readers.rows import listed, shown

_SPLITS = ("train", "validation", "test")
_LINE_PARAMETERS = ("column", "comments")
_TAG_PARAMETERS = ("tag_scheme", "names", "labels", "drop_missing")
_COLUMN_PARAMETERS = ("text2", "label", "header", "quotes", "separator", "kind", "max_length", "positive_class")
_UNUSED_PARAMETERS: dict[str, tuple[str, ...]] = {
    "conll": (*_COLUMN_PARAMETERS, "sentence"),
    "squad": ("text", *_COLUMN_PARAMETERS, *_TAG_PARAMETERS, *_LINE_PARAMETERS, "sentence", "encoding"),
    "csv": _LINE_PARAMETERS,
    "tsv": _LINE_PARAMETERS,
    "jsonl": ("header", "quotes", *_LINE_PARAMETERS),
    "parquet": ("header", "quotes", "encoding", *_LINE_PARAMETERS),
    "hub": ("header", "quotes", "encoding", *_LINE_PARAMETERS),
}
"""Parameters that each scheme ignores, and which are refused there."""


@dataclass(frozen=True)
class OwnTask(Task):
    """A task made of files, named `<scheme>:<absolute path>@<digest of the content>`.

    Raises:
        UsageError: A parameter is not valid, or a file does not exist.
    """

    name: str
    text: str = ""
    """Column of the text; found by a usual name if empty, like the other columns. In conll: a number from 0."""
    text2: str = ""
    """Column of the second text, for tasks on pairs."""
    label: str = ""
    kind: str = ""
    """classes, multilabel, scalar, text or tokens; inferred if empty."""
    train: str = ""
    """File of this split if it is not called train.*; `validation` and `test` likewise."""
    validation: str = ""
    test: str = ""
    header: bool = True
    """Whether the first line names the columns; otherwise they are 0, 1, ..."""
    quotes: bool = True
    """Whether quoted fields may contain separators and line ends."""
    encoding: str = "utf-8"
    separator: str = ";"
    """Separates the labels of one cell, for kind=multilabel."""
    metric: str = ""
    """Primary metric, if not the default of the kind."""
    positive_class: str = ""
    """Positive class of metric=f1, precision or recall; the second of two classes if empty."""
    max_length: int = 64
    """Most tokens of a generated text, for kind=text."""
    sentence: str = ""
    """Column that tells sentences apart, in a table with one word a row."""
    column: str = ""
    """Column of the tags in conll: files, from 0, or by its name in CoNLL-U; the last if empty."""
    comments: str = ""
    """drop or keep lines of conll: files that begin with #; decided by the file if empty."""
    tag_scheme: str = ""
    """bio, iob1, iobes, bmes, bilou, io or plain; recognised if empty."""
    names: str = ""
    """Names of numbered tags in the order of their numbers, as O+B-PER+I-PER."""
    labels: str = ""
    """All tags, as O+B-PER+I-PER, where the training rows lack some."""
    drop_missing: bool = False
    """Whether sentences without words or tags are left out."""
    seed: int = 0
    """Seed of the 80/10/10 split of files that are not split."""

    modality = "text"
    source = "your own files"
    licence = "yours to know"

    def __post_init__(self) -> None:
        if self.kind not in ("", *kinds.KINDS):
            raise UsageError(f"{self.name}: kind={self.kind}: choose {', '.join(kinds.KINDS)}")
        # Plugins are searched only for a name that is not built in: discovery imports every installed plugin.
        if self.metric and self.metric not in METRICS and self.metric not in (known := _all_metrics()):
            raise UsageError(f"{self.name}: metric={self.metric}: choose {', '.join(known)}")
        if self.positive_class and self.metric not in kinds.OF_ONE_CLASS:
            raise UsageError(f"{self.name}: positive_class= needs metric={', '.join(kinds.OF_ONE_CLASS)}")
        if not self.separator:
            raise UsageError(f"{self.name}: separator= is empty: give the character between the labels of a cell")
        for parameter, choices in (("tag_scheme", SCHEMES), ("comments", COMMENTS)):
            if (value := getattr(self, parameter)) not in ("", *choices):
                raise UsageError(f"{self.name}: {parameter}={value}: choose {', '.join(choices)}")
        if self.max_length < 1:
            raise UsageError(f"{self.name}: max_length={self.max_length}: must be at least 1")
        check_seed(self.name, "seed", self.seed)
        defaults = {f.name: f.default for f in fields(self)}
        for parameter in _UNUSED_PARAMETERS.get(self.scheme, ()):
            if getattr(self, parameter) != defaults[parameter]:
                raise UsageError(f"{self.name}: {self.scheme}: does not use {parameter}=; leave it out")
        if self.scheme != "hub":
            for split in _SPLITS:
                if given := getattr(self, split):
                    # Pinned, because the task's name, its identity, must fix the content of every file.
                    object.__setattr__(self, split, pin(self.scheme, beside(self._folder, given)))

    @property
    def scheme(self) -> str:
        """The part of the name before the colon."""
        return self.name.partition(":")[0]

    @property
    def output(self) -> Output:  # type: ignore[override]
        """The output kind with its label names.

        Raises:
            DataError: The files cannot be used.
        """
        return self._prepared().output

    @property
    def metrics(self) -> tuple[str, ...]:  # type: ignore[override]
        """Metrics of the output kind, the chosen one first.

        Raises:
            DataError: The files cannot be used.
        """
        usual = self._prepared().metrics
        return (self.metric, *(name for name in usual if name != self.metric)) if self.metric else usual

    @property
    def positive(self) -> int:  # type: ignore[override]
        """Index of the positive class of F1, precision and recall.

        Raises:
            DataError: The files cannot be used.
        """
        if not self.positive_class:
            return Task.positive
        output = self.output
        return output.names.index(self.positive_class) if isinstance(output, Classes) else Task.positive

    @property
    def description(self) -> str:  # type: ignore[override]
        """Kind, columns and splits in one line.

        Raises:
            DataError: The files cannot be used.
        """
        return self._prepared().description

    @property
    def sizes(self) -> Mapping[str, int]:  # type: ignore[override]
        """Number of examples in each split.

        Raises:
            DataError: The files cannot be used.
        """
        return {split: len(examples) for split, examples in self._prepared().splits.items()}

    def split(self, name: SplitName) -> Examples | None:
        """Returns the examples of a split, or None if there is no such split.

        Raises:
            DataError: The files cannot be used.
        """
        return self._prepared().splits.get(name)

    def parts(self) -> list[Part]:
        """Returns the files of each split, or one part called `all` if they are not split.

        Raises:
            DataError: The files do not make up a task.
        """
        given = {split: [pinned_path(getattr(self, split))] for split in _SPLITS if getattr(self, split)}
        path = self._path
        if path.is_dir():
            named = contents(*given.values())
            standard_files = split_files(self.scheme, path).items()
            # A file that is given for one split is not used for another.
            given = {**{split: files for split, files in standard_files if not named & contents(files)}, **given}
        elif given:
            given = {"train": [path], **given}
        else:
            return [Part(ALL, [path])]
        if shared(given):
            raise DataError(f"{path}: one file is given for two splits")
        if not given.get("train"):
            raise DataError(f"{path}: {unfit_folder(self.scheme, path, 'train')}; give one, as [train=...,test=...]")
        if set(given) == {"train"}:
            return [Part(ALL, given["train"])]
        if "test" not in given:
            raise DataError(f"{path}: {unfit_folder(self.scheme, path, 'test')}; give one, as [test=...]")
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
    """Returns the built-in metrics and those of plugins."""
    from tlbench.catalog.catalog import Catalog

    return Catalog.discover().metrics


def resolve(scheme: str, text: str) -> Task:
    """Returns the task of a file or folder, pinned to its present content.

    Raises:
        UsageError: The path does not exist, or has changed since it was pinned.
    """
    # TSV files usually have bare quotation marks in their texts.
    return OwnTask(f"{scheme}:{pin(scheme, text)}", quotes=scheme != "tsv")


# Every property of the task reads the files; they are pinned by the name, so one pass per process is enough.
@lru_cache(maxsize=8)
def _read(task: OwnTask) -> Prepared:
    tags = TagOptions(task.tag_scheme, task.names, task.labels, task.drop_missing)
    column = kinds.TargetColumn(task.label, task.kind, task.separator, task.max_length, tags)
    words = WordColumns(task.text, task.column, task.comments)
    form = Format(task.scheme, task.header, task.quotes, task.encoding, words, task.sentence)
    prepared = prepare(task.parts(), form, column, (task.text, task.text2), task.seed)
    if task.metric in ENTITY_METRICS[:3] and task.metric not in prepared.metrics:
        raise DataError(
            f"{task.name}: metric={task.metric} needs tags of entities, such as B-PER; "
            f"here there is {', '.join(prepared.metrics)}"
        )
    return replace(prepared, description=prepared.description + _positive_class_note(task, prepared.output))


def _positive_class_note(task: OwnTask, output: Output) -> str:
    """Returns the end of the description of a one-class metric: the positive class.

    Raises:
        DataError: The class is not one of the task's, or must be given and is not.
    """
    if task.metric not in kinds.OF_ONE_CLASS or not isinstance(output, Classes):
        return ""
    names = output.names
    if not task.positive_class and len(names) > 2:
        raise DataError(
            f"{task.name}: {task.metric} is of one class, but there are {len(names)}: "
            f"set metric={task.metric}_macro or positive_class="
        )
    if task.positive_class and task.positive_class not in names:
        raise DataError(f"{task.name}: positive_class={task.positive_class}: choose {listed(names)}")
    return f"; {task.metric} of {shown(task.positive_class or names[Task.positive])}"
