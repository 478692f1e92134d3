"""Converts values of a label column to text, numbers and classes, in the same way for every file format."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from tlbench.data.checks.similar_names import folded

_NO_LABEL = ("", "nan", "<na>")
"""Texts that mean a missing label, in lower case: an empty cell, and what pandas writes for a missing value."""
_WHOLE = re.compile(r"(-?(?:0|[1-9][0-9]*))(?:\.0+)?")
_WITH_COMMA = re.compile(r"[+-]?[0-9]+(?:,[0-9]+)?")
_THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2},[0-9]{3}")


def is_missing(value: Any) -> bool:
    """Returns whether a value means a missing label: None, NaN, an empty text, "nan" or "<NA>"."""
    if isinstance(value, float | Decimal):
        return math.isnan(value)
    return value is None or (isinstance(value, str) and value.strip().lower() in _NO_LABEL)


def text_of(value: Any) -> str:
    """Returns a label as text, the way JSON and CSV write it, so that a data set has the same labels in any format."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).strip()


def number_of(value: Any, decimal: str = ".") -> float | None:
    """Returns a number, or the text of one, as a finite float, else None; `decimal` is the mark before the fraction."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        return None
    if isinstance(value, str) and decimal != ".":
        value = "" if "." in value else value.replace(decimal, ".")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def has_decimal_commas(texts: Iterable[str]) -> bool:
    """Returns whether all texts are numbers, with decimal commas if any, and at least one has a comma."""
    all_texts = list(texts)
    return all(map(_WITH_COMMA.fullmatch, all_texts)) and any("," in text for text in all_texts)


def may_be_thousands(texts: Iterable[str]) -> bool:
    """Returns whether each comma in the texts could as well separate thousands, as in 1,234."""
    return all(_THOUSANDS.fullmatch(text) for text in texts if "," in text)


def class_key(text: str, *, normalize: bool = False) -> str:
    """Returns a key that is equal for labels of one class, such as 1 and 1.0, or "Yes " and "yes" if `normalize`."""
    whole = _WHOLE.fullmatch(text)
    # -0.0 and 0 are one class.
    number = text if whole is None else "0" if whole[1] == "-0" else whole[1]
    return folded(number) if normalize else number


def named_classes(texts: Iterable[str], *, normalize: bool = False) -> dict[str, tuple[str, ...]]:
    """Returns the name of each class with the spellings that it has in the texts.

    Whole numbers in several spellings are named by the shortest, as 1 for 1 and 1.0; other classes, which `normalize`
    joins, by the most frequent spelling, or the first in alphabetical order.
    """
    spellings: dict[str, Counter[str]] = {}
    for text in texts:
        spellings.setdefault(class_key(text, normalize=normalize), Counter())[text] += 1
    names = {}
    for key, counts in spellings.items():
        common = min(counts, key=lambda text: (-counts[text], text))
        is_number = len(counts) > 1 and _WHOLE.fullmatch(key)
        name = key if is_number else _clean(common) if normalize else common
        names[name] = tuple(sorted(counts))
    return names


def indices_of(names: Sequence[str], *, normalize: bool = False) -> Callable[[str], int | None]:
    """Returns a function that maps a label to the index of its class, or to None if it belongs to no class."""
    index: Mapping[str, int] = {class_key(name, normalize=normalize): index for index, name in enumerate(names)}
    return lambda text: index.get(class_key(text, normalize=normalize))


def mixed(values: Iterable[Any]) -> tuple[int, int] | None:
    """Returns the positions of two labels whose types contradict each other, such as 1 and "good", or None.

    The text of a number counts as a number; the texts "true" and "false" are compatible with truth values.
    """
    first: dict[str, int] = {}
    for position, value in enumerate(values):
        if isinstance(value, bool):
            first.setdefault("truth value", position)
        elif isinstance(value, int | float | Decimal):
            first.setdefault("number", position)
        elif isinstance(value, str) and number_of(value) is None:
            first.setdefault("word or truth value" if value.strip().lower() in ("true", "false") else "word", position)
    words = [first[kind] for kind in ("word", "word or truth value") if kind in first]
    if "number" in first and (others := [*words, *([first["truth value"]] if "truth value" in first else [])]):
        return first["number"], min(others)
    return (first["truth value"], first["word"]) if "truth value" in first and "word" in first else None


def looks_like(value: Any, *, in_list: bool = False) -> str:
    """Returns a description of a value that cannot be a label, with advice on how to write it; "" if it can be one."""
    if isinstance(value, bytes):
        return "raw bytes: write texts or numbers"
    if isinstance(value, dict):
        keys = set(value)
        if {"text", "answer_start"} <= keys:
            return "answers to a question: squad: reads those, in SQuAD's JSON"
        if {"start", "end"} <= keys:
            return (
                "a stretch of the text: tags are read for words, so split the text, as "
                '{"words": ["Oslo", "is"], "tags": ["B-LOC", "O"]} on a line of a jsonl: file'
            )
        fields = ", ".join(map(str, value)) or "nothing"
        advice = f"name one of them after a point, as COLUMN.{next(iter(value), '...')}"
        return f"an object with the fields {fields}: {'write a list of texts' if in_list else advice}"
    if isinstance(value, list | tuple):
        inner = next((item for item in value if isinstance(item, dict | list | tuple | bytes)), None)
        if isinstance(inner, list | tuple):
            is_span = len(inner) == 3 and isinstance(inner[0], int) and isinstance(inner[1], int)
            return looks_like({"start": 0, "end": 0}) if is_span else "a list of lists: write one list of labels a row"
        return "" if inner is None else looks_like(inner, in_list=True)
    return ""


def _clean(text: str) -> str:
    visible = "".join(c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) != "Cf")
    return " ".join(visible.split())
