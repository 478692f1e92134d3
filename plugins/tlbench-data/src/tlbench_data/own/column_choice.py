"""Which columns hold the text and the label, where the name does not say."""

from __future__ import annotations

from dataclasses import dataclass

from tlbench import DataError
from tlbench_data.readers.rows import Row, listed

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
class Chosen:
    """The columns of the inputs and of the label."""

    texts: tuple[str, ...]
    label: str


def choose(row: Row, text: str = "", text2: str = "", label: str = "") -> Chosen:
    """Returns the columns that were said, and for the others those with a usual name.

    Raises:
        DataError: One that was said is not there, or nothing tells which is meant.
    """
    there = {name.casefold(): name for name in row.values}
    for name in filter(None, (text, text2, label)):
        if name not in row.values:
            raise DataError(f"{row.path}: no column {name!r}; there is {listed(row.values)}")
    if text2 and not text:
        raise DataError(f"{row.path}: text2={text2} needs text= beside it")
    texts = (text, text2) if text2 else (text,) if text else _usual_texts(there, label)
    label = label or next((there[name] for name in _LABELS if name in there and there[name] not in texts), "")
    left = [name for name in row.values if name not in (*texts, label)]
    if not texts and label and len(left) == 1:
        texts = (left[0],)
    elif texts and not label and len(left) == 1:
        label = left[0]
    if not texts or not label:
        raise DataError(f"{row.path}: say which columns, as [text=...,label=...]; there is {listed(row.values)}")
    if label in texts:
        raise DataError(f"{row.path}: {label!r} is the text and the label")
    return Chosen(texts, label)


def _usual_texts(there: dict[str, str], label: str) -> tuple[str, ...]:
    for first, second in _PAIRS:
        if first in there and second in there and label not in (there[first], there[second]):
            return there[first], there[second]
    return next(((there[name],) for name in _TEXTS if name in there and there[name] != label), ())
