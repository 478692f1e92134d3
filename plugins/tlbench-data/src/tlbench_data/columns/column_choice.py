"""Finds the text and label columns of a table by their usual names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tlbench import DataError
from tlbench.catalog.names import quoted, similar
from tlbench_data.columns.nested_columns import column_names
from tlbench_data.name_lists import escaped, joined_names
from tlbench_data.readers.rows import Row, listed

_PAIRS = (
    ("sentence1", "sentence2"),
    ("sentence_1", "sentence_2"),
    ("sentence_a", "sentence_b"),
    ("sent1", "sent2"),
    ("s1", "s2"),
    ("text1", "text2"),
    ("text_1", "text_2"),
    ("text_a", "text_b"),
    ("premise", "hypothesis"),
    ("question1", "question2"),
    ("question", "sentence"),
    ("question", "passage"),
    ("query", "passage"),
    ("query", "document"),
    ("claim", "evidence"),
    ("title", "body"),
    ("headline", "body"),
)
"""Usual names of two texts that are read as a pair, in lower case."""
ALONE = "none"
"""Value of `text2=` that reads a single text although the table has the column that usually pairs with it."""
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
    target: Literal["label", "target text"] = "label"
    """What the label column holds, for messages; a target text may be any text that is not empty."""


def choose(row: Row, text: str = "", text2: str = "", label: str = "") -> ChosenColumns:
    """Returns the text and label columns: those given, otherwise those with a usual name, or the only one left over.

    Raises:
        DataError: A given column does not exist, or the choice is ambiguous.
    """
    # Headers are often capitalised, as in "Text,Label".
    by_name = {name.casefold(): name for name in row.values}
    is_alone = text2 == ALONE and ALONE not in row.values
    second = "" if is_alone else text2
    for name in filter(None, (text, second, label)):
        if name not in row.values:
            hint = f"{listed(column_names(row))}{similar(name, column_names(row))}"
            raise DataError(f"{row.path}: no column {name!r}; the columns are {hint}")
    if text2 and not text:
        raise DataError(f"{row.path}: text2={text2} needs text= too")
    if second and second == text:
        raise DataError(f"{row.path}: text= and text2= name one column, {text}: leave text2= out")
    texts = (text, second) if second else (text,) if text else _usual_texts(row, by_name, label)
    given = tuple(filter(None, (text, second, label)))
    label = label or next((by_name[name] for name in _LABELS if name in by_name and by_name[name] not in texts), "")
    # If only the texts or only the label is found, and one column is unused, that column is the other.
    unused = [name for name in row.values if name not in (*texts, label)]
    if not texts and label and len(unused) == 1:
        texts = (unused[0],)
    elif texts and not label and len(unused) == 1:
        label = unused[0]
    if are_questions(row) and not (texts and label):
        raise DataError(f"{row.path}: this looks like questions on contexts, as in SQuAD: squad: reads those")
    if not texts or not label:
        names = list(filter(None, column_names(row)))
        there = f"there {'is' if len(names) < 2 else 'are'} {listed(names)}"
        raise DataError(f"{row.path}: {_unnamed(texts, label)}; {there}")
    if label in texts:
        raise DataError(f"{row.path}: {label!r} is both the text and the label: name two columns")
    for option, name in (("label", label), *(("text", text) for text in texts)):
        if name not in given:
            _refuse_twins(row, option, name, given)
    if len(texts) == 1 and not is_alone and (pair := _pair_with(by_name, texts[0])) and label not in pair:
        one, two = pair
        raise DataError(
            f"{row.path}: {texts[0]} may be the only text, or one of the pair {one} and {two}: set "
            f"[{_option('text', texts[0])},text2={ALONE}] or [{_option('text', one)},{_option('text2', two)}]"
        )
    return ChosenColumns(texts, label)


def are_questions(row: Row) -> bool:
    """Returns whether a row has the columns of SQuAD: articles with paragraphs, or questions with their contexts."""
    return "paragraphs" in row.values or {"question", "context", "answers"} <= set(row.values)


def plain_column(row: Row, name: str) -> str:
    r"""Returns the column that an option names; a plus in the column's name may be written as \+."""
    parts = joined_names(name)
    return parts[0] if len(parts) == 1 and name not in row.values else name


def unlabelled_columns(row: Row, text: str = "", text2: str = "") -> list[str]:
    """Returns all columns but the texts, or an empty list if one of them has a usual name for labels."""
    by_name = {name.casefold(): name for name in row.values}
    texts = (text, text2) if text else _usual_texts(row, by_name, "")
    others = [name for name in row.values if name not in texts]
    return [] if any(by_name[name] in others for name in _LABELS if name in by_name) else others


def _usual_texts(row: Row, by_name: dict[str, str], label: str) -> tuple[str, ...]:
    # In a table of two columns one is the label, so they are no pair of texts.
    pairs = [
        (by_name[first], by_name[second])
        for first, second in _PAIRS
        if len(row.values) > 2 and first in by_name and second in by_name
    ]
    pairs = [pair for pair in pairs if label not in pair]
    if len(pairs) > 1:
        (one, two), (three, four) = pairs[:2]
        raise DataError(
            f"{row.path}: {one} and {two} may be the pair of texts, or {three} and {four}: set "
            f"[{_option('text', one)},{_option('text2', two)}] or [{_option('text', three)},{_option('text2', four)}]"
        )
    return pairs[0] if pairs else _single_text(by_name, label)


def _single_text(by_name: dict[str, str], label: str) -> tuple[str, ...]:
    return next(((by_name[name],) for name in _TEXTS if name in by_name and by_name[name] != label), ())


def _pair_with(by_name: dict[str, str], text: str) -> tuple[str, ...]:
    """Returns the usual pair of text columns that contains this one, if the table has both; otherwise ()."""
    for pair in _PAIRS:
        if text.casefold() in pair and all(name in by_name for name in pair):
            return tuple(by_name[name] for name in pair)
    return ()


def _refuse_twins(row: Row, option: str, column: str, given: tuple[str, ...]) -> None:
    """Refuses a column that was chosen by its usual name if another column has the same name in other capitals.

    Raises:
        DataError: There is such a column, and no option names it.
    """
    twins = [name for name in row.values if name.casefold() == column.casefold() and name not in given]
    if len(twins) > 1:
        choices = " or ".join(f"[{_option(option, name)}]" for name in twins)
        raise DataError(f"{row.path}: {' and '.join(twins)} are columns of one name: set {choices}")


def _unnamed(texts: tuple[str, ...], label: str) -> str:
    """Returns the part of a message that says which columns the user must name, with an example of the options."""
    given = [_option(name, text) for name, text in zip(("text", "text2"), texts, strict=False)] or ["text=..."]
    missing = "the column of the label too" if texts else "the column of the text too"
    what = missing if texts or label else "the columns"
    return f"name {what}, as [{','.join([*given, _option('label', label) if label else 'label=...'])}]"


def _option(name: str, column: str) -> str:
    return f"{name}={quoted(escaped(column))}"
