"""Finds keys of a suite file that its tables do not have, and says which key was meant or where it belongs."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

_ALIASES = {
    "seed": "seeds",
    "n_trials": "trials",
    "num_trials": "trials",
    "steps": "max_steps",
    "time_limit": "max_seconds",
}
"""Usual names of other tools, and the keys that they mean here."""


def check_keys(suite: Mapping[str, Any], keys: Mapping[str, tuple[str, ...]]) -> None:
    """Checks the names of the keys in the tables of a suite file; values are checked elsewhere.

    Args:
        suite: The content of the file.
        keys: The keys of each table: "" for the top of the file, "cells", "protocol" and "references".

    Raises:
        ValueError: There is an unknown key; the message says where, and what was meant.
    """
    for path, table, content in _tables(suite):
        for key in content:
            if key not in keys[table]:
                where = f"{path}: " if path else ""
                raise ValueError(f"{where}unknown key {key}{_hint(key, table, keys)}")


def _tables(suite: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yields the path, the kind and the content of each table whose keys are fixed."""
    yield "", "", suite
    yield from _table("protocol", "protocol", suite.get("protocol"))
    cells = suite.get("cells")
    for number, block in enumerate(cells if isinstance(cells, list) else ()):
        yield from _table(f"cells[{number}]", "cells", block)
        if isinstance(block, dict):
            yield from _table(f"cells[{number}].protocol", "protocol", block.get("protocol"))
    references = suite.get("references")
    for number, reference in enumerate(references if isinstance(references, list) else ()):
        yield from _table(f"references[{number}]", "references", reference)


def _table(path: str, kind: str, content: object) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    if isinstance(content, dict):
        yield path, kind, content


def _hint(key: str, table: str, keys: Mapping[str, tuple[str, ...]]) -> str:
    meant = _ALIASES.get(key, key)
    if meant in keys[table]:
        return f"; did you mean {meant}?"
    # Not "references", whose keys `task`, `backbone` and `strategy` are more often misspelt keys of [[cells]].
    others = [other for other, known in keys.items() if meant in known and other not in {table, "references"}]
    if others:
        where = {"": "at the top of the file", "cells": "in [[cells]]", "protocol": "in [protocol]"}[others[0]]
        where = "in protocol = { ... } of these cells" if (table, others[0]) == ("cells", "protocol") else where
        return f"; {meant} belongs {where}"
    close = difflib.get_close_matches(key, keys[table], n=1)
    return f"; did you mean {close[0]}?" if close else f"; the keys here are {', '.join(keys[table])}"
