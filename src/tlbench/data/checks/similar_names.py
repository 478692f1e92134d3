"""Finds names that look alike: names that differ only in case, spaces, width, Unicode form or invisible characters."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable


def folded(text: str) -> str:
    """Returns a key, equal for texts that differ only in case, spaces, width, Unicode form or invisible characters."""
    visible = "".join(c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) != "Cf")
    # Normalised again, because folding the case can leave a form that is not normalised.
    return "".join(unicodedata.normalize("NFKC", visible.casefold()).split())


def look_alike(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Returns the groups of names that differ only in case, spaces, width, Unicode form or invisible characters."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(folded(name), []).append(name)
    return [tuple(group) for group in groups.values() if len(group) > 1]
