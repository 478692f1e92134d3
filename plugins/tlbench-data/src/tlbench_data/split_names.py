"""Which names of files, folders and hub splits stand for the training, validation and test split."""

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
    """Returns the split that a name stands for, such as "test" for "Testing", or None."""
    return next((split for split, names in NAMES.items() if name.lower() in names), None)


def named_splits(names: Iterable[str]) -> dict[SplitName, tuple[str, ...]]:
    """Returns, for each split that occurs, the name that stands for it.

    If several do, as "val" and "dev", the first of `NAMES` is taken; if one is spelled in several ways, as "Train" and
    "train", all spellings are returned, those in lower case first, because none of them can be preferred.
    """
    given = sorted(set(names), key=lambda name: (name != name.lower(), name))
    found: dict[SplitName, tuple[str, ...]] = {}
    for split, usual in NAMES.items():
        spellings = (tuple(name for name in given if name.lower() == each) for each in usual)
        if first := next(filter(None, spellings), ()):
            found[split] = first
    return found
