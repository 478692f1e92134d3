"""Checks of targets: invalid and contradictory ones, similar class names, and rare or unbalanced classes."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence, Sized

from tlbench.contracts.outputs import Classes, MultiLabel, Scalar
from tlbench.contracts.task import Example
from tlbench.data.checks.check_finding import SHOWN, CheckedData, Finding, counted, first_ids, rows_of
from tlbench.data.checks.similar_names import look_alike
from tlbench.data.input_keys import input_key

FEW = 10
"""A class with fewer training rows is reported as rare."""
UNBALANCED = 10
"""Classes are reported as unbalanced if the largest has at least this many training rows per row of the smallest."""


def invalid_targets(data: CheckedData) -> list[Finding]:
    """Returns a finding for each split with targets that do not fit the task's output."""
    found = []
    for split, valid in data.valid_rows.items():
        examples = data.splits[split]
        if number := len(examples) - len(valid):
            known = set(map(id, valid))
            rows = [row for row in examples if id(row) not in known]
            message = f"{rows_of(number, len(examples), split, ('has', 'have'))} no valid label"
            advice = "every row needs a label of the task's kind"
            found.append(Finding("invalid-label", "warning", message, number, first_ids(rows), advice))
    return found


def similar_labels(data: CheckedData) -> list[Finding]:
    """Returns a finding if class names differ only in case, spaces, width, Unicode form or invisible characters."""
    groups = look_alike(data.output.classes)
    if not groups:
        return []
    # In ASCII, since some differences cannot be seen.
    shown = tuple(" and ".join(map(ascii, group)) for group in groups[:SHOWN])
    message = f"{counted(len(groups), 'group')} of labels that look alike"
    is_joinable = "normalize" in data.options and isinstance(data.output, Classes | MultiLabel)
    advice = "normalize=true joins them" if is_joinable else "join them if they are one class"
    return [Finding("similar-labels", "warning", message, len(groups), shown, advice)]


def conflicting_labels(data: CheckedData) -> list[Finding]:
    """Returns a finding if equal inputs have different targets, within the labelled splits and between them."""
    if not data.output.classes and not isinstance(data.output, Scalar):
        # A question or a text to continue may have several good answers.
        return []
    firsts = conflicts(data.valid_rows.values())
    if not firsts:
        return []
    message = f"{counted(len(firsts), 'input has', 'inputs have')} different labels in different rows"
    advice = "give each one label, or remove it"
    return [Finding("conflicting-labels", "warning", message, len(firsts), first_ids(firsts), advice)]


def conflicts(splits: Iterable[Iterable[Example]]) -> list[Example]:
    """Returns the first row of each input that occurs with different targets."""
    first: dict[Hashable, Example] = {}
    differing: dict[Hashable, Example] = {}
    for examples in splits:
        for row in examples:
            key = input_key(row.inputs)
            earlier = first.setdefault(key, row)
            if row.target != earlier.target:
                differing.setdefault(key, earlier)
    return list(differing.values())


def rare_classes(data: CheckedData) -> list[Finding]:
    """Returns a finding for classes with few training rows, and one for each split in which classes are absent."""
    found = []
    for split, counts in data.class_counts.items():
        absent = [name for name, count in counts.items() if not count]
        if absent:
            message = f"{_of_classes(absent, counts)} no {split} row"
            found.append(
                Finding("absent-class", "warning", message, len(absent), tuple(absent[:SHOWN]), _absence(split))
            )
        few = sorted((count, name) for name, count in counts.items() if 0 < count < FEW)
        if few and split == "train":
            message = f"{_of_classes(few, counts)} fewer than {FEW} train rows"
            shown = tuple(f"{name} ({count})" for count, name in few[:SHOWN])
            how = ", as map=rare:other does" if "map" in data.options else ""
            advice = f"label more rows of them, or join them with others{how}"
            found.append(Finding("rare-class", "warning", message, len(few), shown, advice))
    return found


def unbalanced_classes(data: CheckedData, weighting: Sequence[str] = ()) -> list[Finding]:
    """Returns a finding if the largest class has many times the training rows of the smallest.

    Args:
        data: The examples of the task.
        weighting: Names of the strategies that have the parameter `class_weight`, for advice.
    """
    counts = {name: count for name, count in data.class_counts.get("train", {}).items() if count}
    total = len(data.valid_rows.get("train", ()))
    # Skipped if rows have several labels, some of which are usually rare.
    if len(counts) < 2 or sum(counts.values()) != total:
        return []
    (largest, most), *_, (smallest, least) = sorted(counts.items(), key=lambda item: -item[1])
    if most < UNBALANCED * least:
        return []
    message = (
        f"unbalanced classes in train: the largest has {most / total:.1%} of the rows, the smallest {least / total:.1%}"
    )
    advice = [f"-S '{name}[class_weight=balanced]' weights them equally" for name in weighting[:1]]
    if data.metric == "accuracy":
        how = "metric=f1_macro" if "metric" in data.options else "f1_macro"
        advice.append(f"{how} counts every class alike, where accuracy hides the small ones")
    return [Finding("unbalanced-classes", "warning", message, 2, (largest, smallest), "; ".join(advice))]


def _of_classes(some: Sized, every: Sized) -> str:
    return f"{len(some)} of {counted(len(every), 'class', 'classes')} {'has' if len(some) == 1 else 'have'}"


def _absence(split: str) -> str:
    if split == "train":
        return "nothing can be learnt about them; add rows, or leave the classes out"
    return f"the {split} score says nothing about them"
