"""The options of tasks made of your own data: defaults, help, and the sources that use them."""

from __future__ import annotations

from dataclasses import dataclass, fields

from tlbench import UsageError
from tlbench_data.option_fields import option

DELIMITED = ("csv", "tsv", "hub")
TEXT_FILES = (*DELIMITED, "jsonl")
TABLES = (*TEXT_FILES, "parquet")
WORDS = (*TABLES, "conll")
LINES = ("parallel",)


@dataclass(frozen=True)
class OwnOptions:
    """The name of a task made of your own files, and what its brackets can set."""

    name: str
    text: str = option("", "column of the text, or a+b to join columns by line ends; conll: column of the words", WORDS)
    text2: str = option("", "column of the second text, for pairs; none if the text stands alone", TABLES)
    label: str = option("", "column of the label; a+b+c for columns of zeros and ones", TABLES)
    kind: str = option("", "classes, multilabel, scalar, text or tokens; inferred if not set", TABLES)
    train: str = option("", "file of this split, if not called train.*; hub: its name; parallel: its stem or two files")
    validation: str = option("", "the validation split, likewise, or the share of the rows for it, as 0.1")
    test: str = option("", "the test split, likewise, or the share of the rows for it")
    header: bool = option(True, "whether the first line names the columns, else 0, 1, ...", DELIMITED)
    quotes: bool = option(True, "whether quoted fields may contain separators and line ends", DELIMITED)
    encoding: str = option("utf-8", "encoding of the files, such as latin-1", (*TEXT_FILES, "conll", *LINES))
    delimiter: str = option("", "separates the columns, `tab` for a tab; found if not set", DELIMITED)
    field: str = option("", "field that holds the rows in a file of one JSON object, as data.train", ("jsonl", "hub"))
    separator: str | None = option(None, "separates the labels of one cell; a semicolon if not set", TABLES)
    decimal: str = option("", 'mark before the fraction of a number, . or ","; found if not set', TABLES)
    labels: str = option("", "all classes or tags in order, as a+b+c or a file with one on each line", WORDS)
    map: str = option("", "renames or joins labels, as old:new+old2:new", WORDS)
    names: str = option("", "names of the places in lists of 0 and 1, or of numbered tags: a+b+c or a file", WORDS)
    normalize: bool = option(False, "whether labels that differ only in case, spaces or Unicode form are one", TABLES)
    drop_missing: bool = option(
        False, "leaves out rows without a text or a label instead of refusing them", (*WORDS, *LINES)
    )
    metric: str = option("", "primary metric, if not the usual one of the kind")
    positive_class: str = option("", "positive class of metric=f1, precision or recall; the second of two", TABLES)
    max_length: int = option(64, "most tokens of a generated text, for kind=text", (*TABLES, *LINES))
    sentence: str = option("", "column that tells sentences apart, in a table with one word a row", TABLES)
    column: str = option("", "column of the tags, from 0, or by its name in CoNLL-U; the last if not set", ("conll",))
    comments: str = option("", "drop or keep lines that begin with #; decided by the file if not set", ("conll",))
    tag_scheme: str = option("", "bio, iob1, iobes, bmes, bilou, io or plain; recognised if not set", WORDS)
    seed: int = option(0, "seed of the splits that the files lack")
    group: str = option(
        "",
        "column of what rows belong to, such as a patient: never divided; squad: title; conll: document",
        (*TABLES, "squad", "conll"),
    )
    time: str = option("", "column of dates, numbers or years: the earliest rows train, the latest test", TABLES)


def check_effects(task: OwnOptions) -> None:
    """Refuses options that have no effect for the scheme of a task.

    Raises:
        UsageError: Such an option is set.
    """
    for each in fields(task):
        applies = each.metadata.get("applies")
        if applies and not applies(task) and getattr(task, each.name) != each.default:
            scheme = task.name.partition(":")[0]
            raise UsageError(f"{task.name}: {scheme}: does not use {each.name}=; leave it out")
