"""A row of a file, with checked access to its values and errors that name file and line."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tlbench import DataError
from tlbench.catalog.names import similar

_SHOWN = 8
_WIDTH = 60


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file and its position, for error messages."""

    path: Path
    number: int
    """From 1: the line on which the row begins, or its index in formats without lines."""
    values: Mapping[str, Any]
    unit: Literal["line", "row"] = "line"
    group: str = ""
    """Name of the group that the row belongs to, such as a patient, from the column that `group=` names; else ""."""
    time: Any = None
    """The time of the row, a number or a datetime, from the column that `time=` names; else None."""

    def error(self, message: str) -> DataError:
        """Returns an error whose message begins with the row's file and line."""
        return DataError(f"{self.path}, {self.unit} {self.number}: {message}")

    def value(self, column: str) -> Any:
        """Returns the value in a column.

        Raises:
            DataError: There is no such column.
        """
        if column not in self.values:
            raise self.error(
                f"no column {column!r}; the columns are {listed(self.values)}{similar(column, self.values)}"
            )
        return self.values[column]

    def text(self, column: str, *, may_be_empty: bool = False) -> str:
        """Returns the text in a column, stripped of surrounding white space.

        Raises:
            DataError: There is no such column, or its value is not a valid text, or empty without `may_be_empty`.
        """
        value = self.value(column)
        if not isinstance(value, str):
            raise self.error(f"{column} is {shown(value)}, not a text")
        if not value.strip() and not may_be_empty:
            raise self.error(f"{column} is empty")
        return self.checked(column, value).strip()

    def texts(self, column: str) -> tuple[str, ...]:
        """Returns the list of texts in a column.

        Raises:
            DataError: There is no such column, or no list of valid texts in it.
        """
        value = self.value(column)
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
            raise self.error(f"{column} is {shown(value)}, not a list of texts")
        return tuple(self.checked(column, item) for item in value)

    def checked(self, column: str, text: str) -> str:
        """Returns the text unchanged after checking that it is valid Unicode.

        Raises:
            DataError: It contains an unpaired surrogate.
        """
        if surrogate := unpaired_surrogate(text):
            raise self.error(f"{column} contains an unpaired surrogate ({surrogate})")
        return text

    def index(self, column: str, names: Sequence[str]) -> int:
        """Returns the index in `names` of a column's value, which may be one of the names or an index from 0.

        Raises:
            DataError: There is no such column, or another value in it.
        """
        value = self.value(column)
        # bool is a subclass of int.
        if isinstance(value, int) and not isinstance(value, bool):
            if 0 <= value < len(names):
                return value
        elif isinstance(value, str) and value.strip() in names:
            # Stripped, since many CSV writers pad cells.
            return names.index(value.strip())
        raise self.error(f"{column} is {shown(value)}, which is none of {listed(names)}")

    def real(self, column: str) -> float:
        """Returns the number in a column.

        Raises:
            DataError: There is no such column, or no finite number in it.
        """
        value = self.value(column)
        try:
            number = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else math.nan
        except ValueError:
            number = math.nan
        # Text such as "nan" parses as a float, and would make every mean in a metric NaN.
        if not math.isfinite(number):
            raise self.error(f"{column} is {shown(value)}, not a number")
        return number


def unpaired_surrogate(text: str) -> str:
    r"""Returns the first unpaired surrogate, as \ud83d, or "" if there is none.

    JSON escapes can produce one, but no file or terminal can encode it.
    """
    try:
        # UTF-8 cannot encode surrogates, and its error has the position of the first one.
        text.encode()
    except UnicodeEncodeError as error:
        return f"\\u{ord(text[error.start]):04x}"
    return ""


def listed(names: Mapping[str, Any] | Sequence[str]) -> str:
    """Returns the first few names joined by commas, for a message."""
    some = [str(name) for name in names][:_SHOWN]
    # `+` binds before `or`: no names at all are shown as "nothing".
    return ", ".join(some) + (", ..." if len(names) > _SHOWN else "") or "nothing"


def shown(value: Any) -> str:
    """Returns the value's repr, shortened to one line, for a message."""
    text = " ".join(repr(value).split())
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 3]}..."
