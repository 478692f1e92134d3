"""Conditions on the rows of a table, such as `score>=80`, `fit<2m` and `strategy!=majority`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from tlbench.contracts.errors import UsageError
from tlbench.results.choice.named_columns import NamedColumn, find_column
from tlbench.results.columns import Row

_CONDITION = re.compile(r"(?P<column>[\w.-]+?)\s*(?P<sign>==|!=|<=|>=|=|<|>)\s*(?P<value>.*)", re.DOTALL)
_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "==": operator.eq, "!=": operator.ne,
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_NUMBER = re.compile(r"(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*(?P<unit>[a-z]*)", re.IGNORECASE)
_COUNTS = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9}
_UNITS: Mapping[str, Mapping[str, float]] = {
    "_seconds": {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0},
    "_bytes": {
        "": 1.0, "kb": 1e3, "mb": 1e6, "gb": 1e9, "k": 1e3, "m": 1e6, "g": 1e9, "kib": 2.0**10, "mib": 2.0**20,
        "gib": 2.0**30,
    },
}  # fmt: skip
"""Factor of each unit, by the end of the column's name; all other columns take the units of `_COUNTS`."""


@dataclass(frozen=True)
class Condition:
    """A condition on one column; a row whose value is missing meets only `!=`."""

    text: str
    column: NamedColumn
    sign: str
    value: Any

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The condition itself, which is an expression of one condition (`expressions.py`)."""
        return (self,)

    def is_met(self, row: Row) -> bool:
        """Returns whether a row meets the condition."""
        value = self.column.value(row)
        if value is None:
            return self.sign == "!="
        if isinstance(self.value, str):
            # A strategy that uses no backbone has "-" in tables.
            is_equal = fnmatchcase(value or "-", self.value.replace("[", "[[]"))
            return is_equal == (self.sign != "!=")
        return _COMPARISONS[self.sign](value, self.value)


def read_condition(text: str, columns: Mapping[str, NamedColumn]) -> Condition:
    """Returns the condition in a text: a column, a comparison and a value.

    Raises:
        UsageError: The text is not a condition, the column is unknown, or the value has the wrong type or unit.
    """
    match = _CONDITION.fullmatch(text.strip())
    if match is None or not match["value"]:
        raise UsageError(
            f"--filter {text}: write a column, a comparison and a value, as 'score>=80' or 'backbone=toy*'"
        )
    if match["sign"] == "=" and match["value"][0] in "<>":
        wrong, right = f"={match['value'][0]}", f"{match['value'][0]}="
        raise UsageError(f"--filter {text}: write {right} instead of {wrong}")
    if match["sign"] == "<" and match["value"].startswith(">"):
        raise UsageError(f"--filter {text}: write != instead of <>")
    column = find_column(match["column"], columns, f"--filter {text}")
    value, sign = match["value"].strip("\"'"), match["sign"]
    if column.is_text or column.is_bool:
        if sign not in {"=", "==", "!="}:
            raise UsageError(f"--filter {text}: {column.name} is no number: use = or !=")
        if column.is_text:
            return Condition(text, column, sign, value)
        if value.lower() not in {"true", "false"}:
            raise UsageError(f"--filter {text}: {column.name} is true or false")
        return Condition(text, column, sign, value.lower() == "true")
    return Condition(text, column, sign, _number(text, value, column))


def check_points(conditions: Sequence[Condition], rows: Sequence[Row]) -> None:
    """Checks that no condition compares a column shown in points (0 to 100) with a value between 0 and 1.

    Raises:
        UsageError: A condition does: with "score>0.8", for example, 80 points may be meant.
    """
    for condition in conditions:
        value, column = condition.value, condition.column
        is_share = isinstance(value, float) and 0 < abs(value) < 1
        if is_share and any(column.is_in_points(row) for row in rows):
            raise UsageError(
                f"--filter {condition.text}: {column.name} is shown in points of 100: write {100 * value:g}, or"
                f" {column.frame[0]}{condition.sign}{value:g} for shares of 1"
            )


def _number(text: str, value: str, column: NamedColumn) -> float:
    units = next((units for end, units in _UNITS.items() if column.frame[0].endswith(end)), _COUNTS)
    match = _NUMBER.fullmatch(value)
    if match is None or match["unit"].lower() not in units:
        named = f", with one of the units {', '.join(unit for unit in units if unit)}" if any(units) else ""
        raise UsageError(f"--filter {text}: {value!r} is no number{named}; join further conditions by `and` or `or`")
    return float(match["number"]) * units[match["unit"].lower()]
