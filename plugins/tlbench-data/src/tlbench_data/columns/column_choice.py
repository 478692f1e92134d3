"""Finds the text and label columns of a table by their usual names."""

from __future__ import annotations

from dataclasses import dataclass

from tlbench import DataError
from tlbench_data.readers.rows import Row, listed

# In order of preference: a table with several of these is read by the first.
_PAIRS = (
    ("sentence1", "sentence2"),
    ("text1", "text2"),
    ("premise", "hypothesis"),
    ("question1", "question2"),
)
_TEXTS = (
    "text",
    "sentence",
    "review",
    "content",
    "question",
    "document",
    "dialogue",
    "message",
    "tweet",
    "words",
    "tokens",
)
_LABELS = (
    "label",
    "labels",
    "target",
    "class",
    "category",
    "sentiment",
    "stars",
    "rating",
    "score",
    "intent",
    "summary",
    "tags",
    "ner_tags",
)


@dataclass(frozen=True)
class ChosenColumns:
    """The names of the input columns and of the label column."""

    texts: tuple[str, ...]
    label: str


def choose(row: Row, text: str = "", text2: str = "", label: str = "") -> ChosenColumns:
    """Returns the given columns, and for the others those with a usual name, or the only one left.

    Raises:
        DataError: A given column does not exist, or the choice is ambiguous.
    """
    # Headers are often capitalised, as in "Text,Label".
    by_name = {name.casefold(): name for name in row.values}
    for name in filter(None, (text, text2, label)):
        if name not in row.values:
            raise DataError(f"{row.path}: no column {name!r}; the columns are {listed(row.values)}")
    if text2 and not text:
        raise DataError(f"{row.path}: text2={text2} needs text= too")
    texts = (text, text2) if text2 else (text,) if text else _usual_texts(by_name, label)
    label = label or next((by_name[name] for name in _LABELS if name in by_name and by_name[name] not in texts), "")
    # With one of two columns known, the remaining one must be the other.
    unused = [name for name in row.values if name not in (*texts, label)]
    if not texts and label and len(unused) == 1:
        texts = (unused[0],)
    elif texts and not label and len(unused) == 1:
        label = unused[0]
    if "paragraphs" in row.values:
        raise DataError(f"{row.path}: this looks like questions on paragraphs, as in SQuAD: squad: reads those")
    if not texts or not label:
        raise DataError(f"{row.path}: name the columns, as [text=...,label=...]; there are {listed(row.values)}")
    if label in texts:
        raise DataError(f"{row.path}: {label!r} is both the text and the label: name two columns")
    return ChosenColumns(texts, label)


def unlabelled_columns(row: Row, text: str = "", text2: str = "") -> list[str]:
    """Returns the columns that are no texts, if none of them has a usual name for labels; otherwise none."""
    by_name = {name.casefold(): name for name in row.values}
    texts = (text, text2) if text else _usual_texts(by_name, "")
    others = [name for name in row.values if name not in texts]
    return [] if any(by_name[name] in others for name in _LABELS if name in by_name) else others


def _usual_texts(by_name: dict[str, str], label: str) -> tuple[str, ...]:
    for first, second in _PAIRS:
        if first in by_name and second in by_name and label not in (by_name[first], by_name[second]):
            return by_name[first], by_name[second]
    return next(((by_name[name],) for name in _TEXTS if name in by_name and by_name[name] != label), ())
