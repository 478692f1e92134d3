"""Recognises names of files, folders and hub splits that mean the training, validation or test split."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

SplitName = Literal["train", "validation", "test"]

NAMES: Mapping[SplitName, tuple[str, ...]] = {
    "train": ("train", "training", "seg_train"),
    "validation": ("validation", "valid", "val", "dev", "devel", "eval", "seg_val"),
    "test": ("test", "testing", "seg_test"),
}
"""The usual names of each split in lower case, in order of preference."""


def split_of(name: str) -> SplitName | None:
    """Returns the split that a name means, such as "test" for "Testing", or None."""
    return next((split for split, names in NAMES.items() if name.lower() in names), None)


def named_splits(names: Iterable[str]) -> dict[SplitName, tuple[str, ...]]:
    """Returns, for each split that is among the names, the spellings of the name that means it.

    If several names mean one split, as "val" and "dev", the first in `NAMES` is taken. If that name occurs in several
    spellings, as "Train" and "train", all are returned, those in lower case first; the caller decides between them.
    """
    given = sorted(set(names), key=lambda name: (name != name.lower(), name))
    found: dict[SplitName, tuple[str, ...]] = {}
    for split, usual in NAMES.items():
        spellings = (tuple(name for name in given if name.lower() == each) for each in usual)
        if first := next(filter(None, spellings), ()):
            found[split] = first
    return found
