"""`csv:`, `jsonl:`, ...: a task made of your own file or folder, read and checked completely on first use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

from tlbench import Classes, DataError, Examples, Output, SplitName, Task
from tlbench_data.columns import output_kinds as kinds
from tlbench_data.columns.metric_choice import chosen_first, positive_class
from tlbench_data.division.dividing import ALL, SplitOptions, refuse_shares
from tlbench_data.division.split_options import check_no_file, share_of
from tlbench_data.name_lists import renamed_pairs
from tlbench_data.own.archives import is_archive, named_by_archive
from tlbench_data.own.name_files import names_in, pinned_names
from tlbench_data.own.named_files import (
    beside,
    only_table,
    pin,
    pinned_path,
    split_files,
    unfit_folder,
    unpinned,
    unread_splits,
)
from tlbench_data.own.other_sources import images_hint, is_image
from tlbench_data.own.own_options import OwnOptions
from tlbench_data.own.own_parameters import check_metric_fits, check_parameters
from tlbench_data.own.own_splits import Options, Part, Prepared, contents, prepare, shared
from tlbench_data.own.schemes import Format
from tlbench_data.words.tagged_words import ENTITY_METRICS
from tlbench_data.words.word_files import WordColumns

_SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class OwnTask(OwnOptions, Task):
    """A task made of files, named `<scheme>:<absolute path>@<digest of the content>`.

    Raises:
        UsageError: A parameter is not valid, or a file does not exist.
    """

    only_kind: ClassVar[str] = ""
    """The kind of output of a scheme that has only one, such as "text"; "" if `kind=` or the values decide."""
    modality = "text"
    source = "your own files"
    licence = "yours to know"

    def __post_init__(self) -> None:
        for option in ("labels", "names"):
            if given := getattr(self, option):
                object.__setattr__(self, option, pinned_names(self.name, option, self._folder, given))
        check_parameters(self)
        if self.delimiter == "\t":
            # A task's name must not contain control characters.
            object.__setattr__(self, "delimiter", "tab")
        if self.separator == ";" and self.kind == "multilabel":
            # Dropped, because it means the same as no option: both ways to write the task must give one name.
            object.__setattr__(self, "separator", None)
        for split in _SPLITS:
            if given := self.file_of(split):
                object.__setattr__(self, split, self._pinned(given))
        for split, share in (("validation", self.division.validation), ("test", self.division.test)):
            if share and self.scheme != "hub":
                check_no_file(self.name, split, getattr(self, split), self._folder)
            if share:
                # One form for all ways to write a number, since the name is the task's identity.
                object.__setattr__(self, split, str(share))

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
        return chosen_first(self.metric, self._usual_metrics())

    @property
    def positive(self) -> int:  # type: ignore[override]
        """Index of the positive class of F1, precision and recall.

        Raises:
            DataError: The files cannot be used.
        """
        return _positive_class(self, self._prepared())[0] if self.metric in kinds.OF_ONE_CLASS else Task.positive

    @property
    def pairs(self) -> bool:  # type: ignore[override]
        """Whether an example has two texts to compare, not a question with its context.

        Raises:
            DataError: The files cannot be used.
        """
        prepared = self._prepared()
        return prepared.output.reads == "example" and len(prepared.splits["train"][0].inputs) == 2

    @property
    def input_columns(self) -> tuple[tuple[str, ...], ...]:  # type: ignore[override]
        """For each input the columns that it comes from.

        Raises:
            DataError: The files cannot be used.
        """
        return self._prepared().columns

    @property
    def description(self) -> str:  # type: ignore[override]
        """Kind, columns and splits in one line.

        Raises:
            DataError: The files cannot be used.
        """
        return self._prepared().description

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on how the files were read, what was left out and which labels look wrong, as in the description.

        Raises:
            DataError: The files cannot be used.
        """
        return (*self._prepared().notes, *self._prepared().label_notes)

    @property
    def reading_notes(self) -> tuple[str, ...]:
        """How the files were read and what was left out of them, for `tlbench check`.

        Raises:
            DataError: The files cannot be used.
        """
        return self._prepared().notes

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
            DataError: A split lacks its file, a file is given for two splits, or an option does not suit the files.
        """
        given = {split: [pinned_path(file)] for split in _SPLITS if (file := self.file_of(split))}
        path = self._path
        if path.is_dir():
            named = contents(*given.values())
            standard_files = split_files(self.scheme, path).items()
            # Files that an option gives for one split are not also used for the split that their name means.
            given = {**{split: files for split, files in standard_files if not named & contents(files)}, **given}
        elif is_image(path):
            raise DataError(f"{path}: {images_hint(path)}")
        elif given:
            given = {"train": [path], **given}
        else:
            return [Part(ALL, [path])]
        if not given and is_archive(self._named_path):
            table = only_table(self.scheme, self._named_path, path)
            return [Part(ALL, [table], f"the table {table.name} of the archive")]
        if shared(given):
            raise DataError(f"{path}: one file is given for two splits")
        refuse_shares(self.name, self.division, {split: files[0].name for split, files in given.items()})
        if not given.get("train"):
            raise DataError(f"{path}: {unfit_folder(self.scheme, path, 'train')}")
        note = unread_splits(self.scheme, path, contents(*given.values())) if path.is_dir() else ""
        if set(given) == {"train"}:
            return [Part(ALL, given["train"], note)]
        if "test" not in given and not self.division.test:
            raise DataError(f"{path}: {unfit_folder(self.scheme, self._folder, 'test')}")
        return [Part(split, given[split], note if split == "train" else "") for split in _SPLITS if split in given]

    def file_of(self, split: str) -> str:
        """Returns the file, or the hub's split name, that an option gives for a split; "" if none or a share."""
        given: str = getattr(self, split)
        return "" if split != "train" and share_of(self.name, split, given) else given

    @property
    def division(self) -> SplitOptions:
        """How the rows are divided into the splits that the files lack."""
        shares = {split: share_of(self.name, split, getattr(self, split)) for split in ("validation", "test")}
        return SplitOptions(self.seed, shares["validation"], shares["test"], self.group, self.time)

    def _pinned(self, given: str) -> str:
        """Returns the path of a split's file with the digest of its content.

        The task's name is its identity, so it must fix the content of every file.
        """
        return pin(self.scheme, beside(self._folder, given))

    @property
    def _named_path(self) -> Path:
        return unpinned(self.name.partition(":")[2])

    @property
    def _path(self) -> Path:
        return pinned_path(self.name.partition(":")[2])

    @property
    def _folder(self) -> Path:
        path = self._path
        return path if path.is_dir() else path.parent

    def _usual_metrics(self) -> tuple[str, ...]:
        return self._prepared().metrics

    def _prepared(self) -> Prepared:
        return _read(self)


def resolve(scheme: str, text: str) -> Task:
    """Returns the task of a file or folder, pinned to its present content.

    Raises:
        UsageError: The path does not exist, or has changed since it was pinned.
    """
    # TSV files usually have quotation marks as plain characters, so quoting is off by default.
    return OwnTask(f"{scheme}:{pin(scheme, text)}", quotes=scheme != "tsv")


# Every property of the task reads the files; they are pinned by the name, so one pass per process is enough.
@lru_cache(maxsize=8)
def _read(task: OwnTask) -> Prepared:
    try:
        return _read_files(task)
    except DataError as error:
        message = str(error)
        for text in (task.name.partition(":")[2], *map(task.file_of, _SPLITS)):
            message = named_by_archive(message, unpinned(text))
        raise DataError(message) from error
    # Deeply nested brackets, of a few kilobytes, exceed Python's recursion limit.
    except RecursionError:
        raise DataError(f"{task.name}: a value is nested too deeply") from None


def _read_files(task: OwnTask) -> Prepared:
    column = kinds.TargetColumn(
        task.label,
        task.kind or task.only_kind,
        task.separator or "",
        task.max_length,
        task.decimal,
        task.normalize,
        names_in(task.labels),
        renamed_pairs(task.map),
    )
    form = Format(
        task.scheme,
        task.header,
        task.quotes,
        task.encoding,
        task.delimiter.replace("tab", "\t"),
        task.field,
        WordColumns(task.text, task.column, task.comments),
        task.sentence,
    )
    options = Options((task.text, task.text2), task.drop_missing, names_in(task.names), task.tag_scheme, task.division)
    prepared = prepare(task.parts(), form, column, options)
    if task.metric in ENTITY_METRICS[:3] and task.metric not in prepared.metrics:
        raise DataError(
            f"{task.name}: metric={task.metric} needs tags of entities, such as B-PER; "
            f"here there is {', '.join(prepared.metrics)}"
        )
    check_metric_fits(task.name, task.metric, prepared.output)
    note = _positive_class(task, prepared)[1]
    return replace(prepared, description=f"{prepared.description}; {note}" if note else prepared.description)


def _positive_class(task: OwnTask, prepared: Prepared) -> tuple[int, str]:
    names = prepared.output.names if isinstance(prepared.output, Classes) else ()
    return positive_class(task.name, task.metric, task.positive_class, names, prepared.order)
