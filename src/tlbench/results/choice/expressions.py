"""Conditions joined by `and`, `or`, `not` and parentheses, such as `memory<2GB and strategy!='lora'`.

    expression = term {"or" term}
    term       = factor {"and" factor}
    factor     = "not" factor | "(" expression ")" | condition

A condition is one comparison of a column with a value (`conditions.py`). A value with one of these words or an unpaired
parenthesis in it stands in quotes. Nothing is ever evaluated as code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from tlbench.contracts.errors import UsageError
from tlbench.results.choice.conditions import Condition, read_condition
from tlbench.results.choice.named_columns import NamedColumn
from tlbench.results.columns import Row

_MOST_NESTED = 50
_WORD = re.compile(r"\s+(and|or)(?=[\s(]|$)", re.IGNORECASE)
_NOT = re.compile(r"not(?=[\s(])", re.IGNORECASE)


class Expression(Protocol):
    """A condition on a row."""

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """All single conditions, in order."""

    def is_met(self, row: Row) -> bool:
        """Returns whether a row meets the expression."""


@dataclass(frozen=True)
class _Joined:
    parts: tuple[Expression, ...]
    needs_all: bool

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return tuple(condition for part in self.parts for condition in part.conditions)

    def is_met(self, row: Row) -> bool:
        return (all if self.needs_all else any)(part.is_met(row) for part in self.parts)


@dataclass(frozen=True)
class _Negated:
    part: Expression

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return self.part.conditions

    def is_met(self, row: Row) -> bool:
        return not self.part.is_met(row)


def read_expression(text: str, columns: Mapping[str, NamedColumn]) -> Expression:
    """Returns the expression in a text.

    Raises:
        UsageError: The text is not an expression, or a condition in it is none.
    """
    return _Parser(text, columns).whole()


class _Parser:
    """Reads an expression from left to right."""

    def __init__(self, text: str, columns: Mapping[str, NamedColumn]) -> None:
        self._text, self._columns = text, columns
        self._place = self._depth = 0

    def whole(self) -> Expression:
        found = self._joined("or")
        if self._place < len(self._text):
            closes = self._text[self._place] == ")"
            raise self._fault(
                "a parenthesis closes that none has opened" if closes else "write `and` or `or` between conditions"
            )
        return found

    def _joined(self, word: str) -> Expression:
        parts = [self._part(word)]
        while (match := _WORD.match(self._text, self._place)) and match[1].lower() == word:
            self._place = match.end()
            parts.append(self._part(word))
        return parts[0] if len(parts) == 1 else _Joined(tuple(parts), word == "and")

    def _part(self, word: str) -> Expression:
        return self._joined("and") if word == "or" else self._factor()

    def _factor(self) -> Expression:
        self._skip_spaces()
        self._depth += 1
        if self._depth > _MOST_NESTED:
            raise UsageError(f"--filter: more than {_MOST_NESTED} parentheses or negations in each other")
        if match := _NOT.match(self._text, self._place):
            self._place = match.end()
            found: Expression = _Negated(self._factor())
        elif self._text[self._place : self._place + 1] == "(":
            self._place += 1
            found = self._joined("or")
            self._skip_spaces()
            if self._text[self._place : self._place + 1] != ")":
                raise self._fault("a parenthesis is not closed")
            self._place += 1
        else:
            text = self._condition_text()
            if not text:
                raise self._fault("a condition is missing: write a column, a comparison and a value, as 'score>=80'")
            found = read_condition(text, self._columns)
        self._depth -= 1
        # Spaces at the very end; those before a word belong to it.
        if not self._text[self._place :].strip():
            self._place = len(self._text)
        return found

    def _condition_text(self) -> str:
        """Returns the text up to the next word or closing parenthesis outside of quotes."""
        start, opened, quote = self._place, 0, ""
        while self._place < len(self._text):
            character = self._text[self._place]
            if quote:
                quote = "" if character == quote else quote
            # An apostrophe inside of a value is one; a quotation begins right after the comparison.
            elif character in "'\"" and self._text[start : self._place].rstrip()[-1:] in {"=", "<", ">"}:
                quote = character
            elif (character == ")" and not opened) or self._is_before_word():
                break
            else:
                opened += (character == "(") - (character == ")")
            self._place += 1
        if quote:
            raise self._fault(f"a quotation that begins with {quote} does not end")
        return self._text[start : self._place].strip()

    def _is_before_word(self) -> bool:
        # Only at the first of several spaces, since the pattern reads the others.
        here, before = self._text[self._place], self._text[self._place - 1 : self._place]
        return here.isspace() and not before.isspace() and _WORD.match(self._text, self._place) is not None

    def _skip_spaces(self) -> None:
        while self._text[self._place : self._place + 1].isspace():
            self._place += 1

    def _fault(self, what: str) -> UsageError:
        return UsageError(f"--filter {self._text}: {what}")
