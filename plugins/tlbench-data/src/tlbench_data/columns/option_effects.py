"""Refuses options of the label column that have no effect on its kind of output."""

from __future__ import annotations

from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from tlbench import DataError
from tlbench_data.columns.output_kinds import TargetColumn

_KINDS = {
    "separator": ("multilabel",),
    "decimal": ("scalar",),
    "normalize": ("classes", "multilabel"),
    "labels": ("classes", "multilabel", "tokens"),
    "map": ("classes", "multilabel", "scalar", "tokens"),
    "max_length": ("text",),
}
"""Maps an option to the kinds of output that it has an effect on."""
_ALWAYS = ("seed", "words")
"""Fields that are never refused: `seed` suits any content, and `words` holds the columns of CoNLL files."""


def check_kind_effects(given: TargetColumn, kind: str, path: Path) -> None:
    """Refuses the options in `given` that have no effect where the kind of output is `kind`.

    Raises:
        DataError: One is set; the message begins with the path.
    """
    defaults = {each.name: each.default for each in fields(given)}
    for option, kinds in _KINDS.items():
        if getattr(given, option) != defaults[option] and kind not in kinds:
            instead = "; delimiter= separates columns" if option == "separator" else ""
            choices = " or ".join(filter(None, (", ".join(kinds[:-1]), kinds[-1])))
            raise DataError(f"{path}: {option}= is for kind={choices}, and this is kind={kind}{instead}")


def check_unused(path: Path, what: str, *options: Any) -> None:
    """Refuses options for tables where a file holds something else, such as questions; `options` are dataclasses.

    Raises:
        DataError: One is set; the message begins with `path` and mentions `what` the file holds.
    """
    for group in options:
        for each in fields(group):
            is_set = each.default is not MISSING and getattr(group, each.name) != each.default
            if is_set and each.name not in _ALWAYS:
                raise DataError(f"{path}: {each.name}= has no effect on {what}; leave it out")
