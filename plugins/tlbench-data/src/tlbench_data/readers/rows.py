"""A row of a file: its values, and what is wrong with them said with file and line."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tlbench import DataError

_SHOWN = 8
_WIDTH = 60


@dataclass(frozen=True, slots=True)
class Row:
    """One row, and where it stands."""

    path: Path
    number: int
    """From 1: the line on which it begins, or its row where a file has no lines."""
    values: Mapping[str, Any]
    unit: Literal["line", "row"] = "line"

    def error(self, message: str) -> DataError:
        """Returns the complaint, with file and line."""
        return DataError(f"{self.path}, {self.unit} {self.number}: {message}")

    def value(self, column: str) -> Any:
        """Returns what stands in a column.

        Raises:
            DataError: There is no such column.
        """
        if column not in self.values:
            raise self.error(f"no column {column!r}; there is {listed(self.values)}")
        return self.values[column]

    def text(self, column: str, *, may_be_empty: bool = False) -> str:
        """Returns the text in a column, without the white space around it.

        Raises:
            DataError: No such column, no text, half a character in it, or an empty one where it may not be.
        """
        value = self.value(column)
        if not isinstance(value, str):
            raise self.error(f"{column} is {shown(value)}, not a text")
        if not value.strip() and not may_be_empty:
            raise self.error(f"{column} is empty")
        return self.whole(column, value).strip()

    def texts(self, column: str) -> tuple[str, ...]:
        """Returns the list of texts in a column; raises as `text` does."""
        value = self.value(column)
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
            raise self.error(f"{column} is {shown(value)}, not a list of texts")
        return tuple(self.whole(column, item) for item in value)

    def whole(self, column: str, text: str) -> str:
        """Returns a text that stands in a column as it is.

        Raises:
            DataError: It holds half a character.
        """
        if half := half_character(text):
            raise self.error(f"{column} holds half a character ({half})")
        return text

    def index(self, column: str, names: Sequence[str]) -> int:
        """Returns which of the names stands in a column: by name, or as a whole number that counts from 0.

        Raises:
            DataError: No such column, or none of these.
        """
        value = self.value(column)
        if isinstance(value, int) and not isinstance(value, bool):
            if 0 <= value < len(names):
                return value
        elif isinstance(value, str) and value.strip() in names:
            return names.index(value.strip())
        raise self.error(f"{column} is {shown(value)}, which is none of {listed(names)}")

    def real(self, column: str) -> float:
        """Returns the number in a column.

        Raises:
            DataError: No such column, or no finite number.
        """
        value = self.value(column)
        try:
            number = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else math.nan
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise self.error(f"{column} is {shown(value)}, not a number")
        return number


def half_character(text: str) -> str:
    r"""Returns the first half of a surrogate pair that stands alone, as \ud83d; empty where there is none.

    JSON can write one, and no file can hold it.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"\\u{ord(text[error.start]):04x}"
    return ""


def listed(names: Mapping[str, Any] | Sequence[str]) -> str:
    """Returns the first few of the names, for a message."""
    some = [str(name) for name in names][:_SHOWN]
    return ", ".join(some) + (", ..." if len(names) > _SHOWN else "") or "nothing"


def shown(value: Any) -> str:
    """Returns a value as one short line, for a message."""
    text = " ".join(repr(value).split())
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 3]}..."
