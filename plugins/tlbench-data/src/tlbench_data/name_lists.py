r"""Reads and writes lists of names in options, such as `labels=a+b+c`; in a name, + is written `\+`, : `\:`, \ `\\`."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tlbench.catalog.names import quoted

_SPECIAL = re.compile(r"[+:\\]")
_ESCAPED = re.compile(r"\\([+:\\])")


def joined_names(text: str) -> tuple[str, ...]:
    r"""Returns the names in an option such as a+b+c, without outer spaces; none in an empty text.

    >>> joined_names(r"Java+C\+\+")
    ('Java', 'C++')
    """
    return tuple(_plain(part) for part in _split(text, "+")) if text else ()


def renamed_pairs(text: str) -> tuple[tuple[str, str], ...]:
    """Returns the pairs of an old and a new name in an option such as old:new+old2:new2.

    Raises:
        ValueError: A part is not of the form old:new; the exception's argument is that part.
    """
    pairs = []
    for part in _split(text, "+") if text else []:
        sides = [_plain(side) for side in _split(part, ":")]
        if len(sides) != 2 or not all(sides):
            raise ValueError(part)
        pairs.append((sides[0], sides[1]))
    return tuple(pairs)


def as_option(option: str, names: Iterable[str]) -> str:
    """Returns the option as written in a task's name: `labels=a+b`, with the names escaped, and quoted if needed."""
    return f"{option}={quoted('+'.join(map(escaped, names)))}"


def as_map(pairs: Iterable[tuple[str, str]]) -> str:
    """Returns the option `map=old:new+old2:new2` for pairs of an old and a new name, as written in a task's name."""
    sides = ((_SPECIAL.sub(r"\\\g<0>", old), _SPECIAL.sub(r"\\\g<0>", new)) for old, new in pairs)
    return f"map={quoted('+'.join(map(':'.join, sides)))}"


def escaped(name: str) -> str:
    """Returns a name with its special characters escaped by backslashes, for use in a list such as a+b+c."""
    return _SPECIAL.sub(r"\\\g<0>", name) if re.search(r"\+|\\[+:\\]|\\$", name) else name


def _split(text: str, separator: str) -> list[str]:
    parts = [""]
    # An escape such as \+ is matched as one piece, so that the plus in it does not separate names.
    for piece in re.findall(r"\\[+:\\]|.", text, re.DOTALL):
        if piece == separator:
            parts.append("")
        else:
            parts[-1] += piece
    return parts


def _plain(text: str) -> str:
    return _ESCAPED.sub(r"\1", text.strip())
