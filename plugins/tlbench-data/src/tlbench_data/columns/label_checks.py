"""Checks the labels of a task: which look alike, which texts have several, and which do not occur in training rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tlbench import Classes, Example, MultiLabel, Output
from tlbench.data.checks.similar_names import folded, look_alike
from tlbench.data.checks.target_checks import conflicts
from tlbench_data.columns.label_values import indices_of
from tlbench_data.columns.output_kinds import TargetColumn, labels_of
from tlbench_data.name_lists import as_option
from tlbench_data.readers.rows import Row, listed, shown

_MOST_HINTED = 20
_LIKE_MISSING = ("na", "n/a", "#n/a", "none", "null")


def look_alike_note(names: Iterable[str], advice: str = "normalize=true joins them") -> list[str]:
    """Returns a warning, as a list, about labels that look the same, if any; `advice` says how to merge them."""
    groups = look_alike(names)
    if not groups:
        return []
    # As ASCII escapes, since some differences between Unicode characters are invisible.
    listing = listed([f"({', '.join(map(ascii, group))})" for group in groups])
    return [f"labels that look alike: {listing}; {advice}"]


def missing_like_note(output: Output) -> list[str]:
    """Returns a note, as a list, on classes whose names often mark missing labels, such as NA; empty without any."""
    found = [name for name in output.classes if name.lower() in _LIKE_MISSING]
    return (
        [f"{listed(list(map(shown, found)))} is a class; leave the cell empty if it marks a missing label"]
        if found
        else []
    )


def joined_labels_note(output: Output) -> list[str]:
    """Returns a note, as a list, if a class looks like several labels, such as "red,blue" when "red" is a class too."""
    if not isinstance(output, Classes):
        return []
    for separator in ",;|":
        parts = {name: [part.strip() for part in name.split(separator)] for name in output.names if separator in name}
        if found := next((name for name, some in parts.items() if set(some) & set(output.names)), ""):
            option = f'"{separator}"' if separator == "," else separator
            return [f"{shown(found)} is one class; kind=multilabel,separator={option} reads it as several labels"]
    return []


def conflict_note(splits: Iterable[Sequence[Example]], output: Output) -> list[str]:
    """Returns a note, as a list, on how many texts occur with different labels; empty for numbers, texts and tags."""
    if not isinstance(output, Classes | MultiLabel):
        return []
    number = len(conflicts(splits))
    return (
        [f"{number} {'text has' if number == 1 else 'texts have'} different labels in different rows"] if number else []
    )


def check_declared(rows: Mapping[str, Sequence[Row]], output: Output, column: TargetColumn) -> None:
    """Refuses labels that no training row has.

    Raises:
        DataError: A row has one; the message gives the option that declares all labels.
    """
    if not isinstance(output, Classes | MultiLabel):
        return
    index_of = indices_of(output.names, normalize=column.normalize)
    unknown: dict[str, list[Row]] = {}
    for split_rows in rows.values():
        for row in split_rows:
            for name in labels_of(row, column):
                if index_of(name) is None:
                    unknown.setdefault(name, []).append(row)
    if not unknown:
        return
    name, where = next(iter(unknown.items()))
    others = f" (and {listed(list(unknown)[1:])})" if len(unknown) > 1 else ""
    if column.labels:
        raise where[0].error(f"{column.name} is {shown(name)}{others}, which labels= does not name")
    if not column.normalize and folded(name) in map(folded, output.names):
        like = next(known for known in output.names if folded(known) == folded(name))
        raise where[0].error(
            f"{column.name} is {name!a}{others}, which no training row has, but {like!a} looks alike: "
            "normalize=true joins them"
        )
    every = sorted([*output.names, *unknown])
    listing = as_option("labels", every) if len(every) <= _MOST_HINTED else f"labels={every[0]}+{every[1]}+..."
    rows_with = f"{len(where)} row{'' if len(where) == 1 else 's'}"
    raise where[0].error(
        f"{column.name} is {shown(name)}{others}, which no training row has (only {rows_with} of another split); "
        f"[{listing}] declares all classes"
    )
