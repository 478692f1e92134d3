"""Checks of inputs: empty and repeated ones, and those that occur in two splits."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from itertools import combinations
from typing import Any

from tlbench.contracts.task import Example
from tlbench.data.checks.check_finding import SHOWN, CheckedData, Finding, counted, first_ids, rows_of
from tlbench.data.checks.similar_inputs import normalised_key

_RELATIONS = {
    "overlap": (("occurs", "occur"), "in"),
    "near-overlap": (("differs", "differ"), "only in case, spaces or Unicode form from rows of"),
}


def empty_inputs(data: CheckedData) -> list[Finding]:
    """Returns a finding for each split with texts that have no visible character, or sentences without words."""
    advice = "drop_missing=true leaves such rows out" if "drop_missing" in data.options else "leave such rows out"
    found = []
    for split, examples in data.splits.items():
        rows = [row for row in examples if any(map(_is_empty, row.inputs))]
        if rows:
            message = f"{rows_of(len(rows), len(examples), split, ('has', 'have'))} an empty text"
            found.append(Finding("empty-input", "warning", message, len(rows), first_ids(rows), advice))
    return found


def repeated_inputs(data: CheckedData) -> list[Finding]:
    """Returns a finding for each split in which rows have the same inputs as an earlier row of the split."""
    found = []
    for split, examples in data.splits.items():
        seen: set[Hashable] = set()
        rows = []
        for row, key in zip(examples, data.keys[split], strict=True):
            if key in seen:
                rows.append(row)
            seen.add(key)
        if rows:
            some = rows_of(len(rows), len(examples), split, ("repeats", "repeat"))
            message = f"{some} the input of an earlier {split} row"
            advice = "remove them unless they are meant to count twice"
            found.append(Finding("repeated-input", "note", message, len(rows), first_ids(rows), advice))
    return found


def overlapping_inputs(data: CheckedData) -> list[Finding]:
    """Returns findings for each pair of splits: on inputs that both have, and on inputs that are equal when normalised.

    Test rows that are also in train are not counted again for validation, as in `Record.overlap`.
    """
    exact = data.keys
    near = {split: [normalised_key(row.inputs) for row in rows] for split, rows in data.splits.items()}
    sets = {split: (set(exact[split]), set(near[split])) for split in data.splits}
    found = []
    for first, second in _pairs(data):
        exact_others, near_others = sets[first]
        in_train = sets["train"][0] if first == "validation" and "train" in sets else set()
        same, similar = [], []
        for row, key, near_key in zip(data.splits[second], exact[second], near[second], strict=True):
            if key in in_train:
                continue
            if key in exact_others:
                same.append(row)
            elif near_key in near_others:
                similar.append(row)
        total = len(data.splits[second])
        found += _shared("overlap", first, second, same, total)
        found += _shared("near-overlap", first, second, similar, total)
    return found


def straddling_groups(data: CheckedData) -> list[Finding]:
    """Returns a finding for each pair of splits that have examples of the same group, such as the same patient."""
    found = []
    for first, second in _pairs(data):
        shared = {group for row in data.splits[first] if (group := _group(row))}
        rows = [row for row in data.splits[second] if _group(row) in shared]
        groups = tuple(dict.fromkeys(map(_group, rows)))
        if groups:
            message = (
                f"{counted(len(groups), 'group is', 'groups are')} in both {first} and {second}, with"
                f" {counted(len(rows), f'{second} row')}"
            )
            advice = "keep each group in one split, or the score does not hold for new groups"
            found.append(Finding("group-in-two-splits", "warning", message, len(groups), groups[:SHOWN], advice))
    return found


def _group(row: Example) -> str:
    return str(row.group)


def _pairs(data: CheckedData) -> Iterator[tuple[str, str]]:
    return combinations(data.splits, 2)


def _shared(kind: str, first: str, second: str, shared: list[Example], total: int) -> list[Finding]:
    if not shared:
        return []
    verbs, relation = _RELATIONS[kind]
    message = f"{rows_of(len(shared), total, second, verbs)} {relation} {first}"
    advice = f"the {second} score on them measures memory; remove them from {first} or {second}"
    return [Finding(kind, "warning", message, len(shared), first_ids(shared), advice)]


def _is_empty(part: Any) -> bool:
    if isinstance(part, str):
        # The usual case first: texts begin with a letter.
        return not part[:1].isalnum() and all(character.isspace() or not character.isprintable() for character in part)
    return isinstance(part, tuple | list) and all(map(_is_empty, part))
