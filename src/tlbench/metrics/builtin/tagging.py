"""Entity-level precision, recall and F1 of BIO tags, micro-averaged: an entity is correct if type and words all match.

Tags are read leniently, as in seqeval's default mode and in conlleval: an I tag that does not continue an entity of its
type begins a new one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tlbench.metrics.builtin.classification import f1_of, precision_of, recall_of
from tlbench.metrics.formula import Formula, Sums
from tlbench.metrics.scored import Floats, Scored


def entities_of(tags: Sequence[str]) -> set[tuple[str, int, int]]:
    """Returns (type, first word, last word) of each entity in a sequence of tags such as B-PER, I-PER and O."""
    entities: set[tuple[str, int, int]] = set()
    open_type, start = None, 0
    # The appended O closes an entity at the end. `partition` splits at the first hyphen, as types may contain others.
    for i, tag in enumerate([*tags, "O"]):
        prefix, _, kind = tag.partition("-")
        inside = prefix in {"B", "I"}
        if open_type is not None and not (prefix == "I" and kind == open_type):
            entities.add((open_type, start, i - 1))
            open_type = None
        if inside and open_type is None:
            open_type, start = kind, i
    return entities


def _counts(scored: Scored) -> Floats:
    """Returns (N, 3): the numbers of true positive, predicted and actual entities."""
    rows = []
    for target, value in zip(scored.targets, scored.values, strict=True):
        actual, predicted = entities_of(target), entities_of(value)
        rows.append((len(actual & predicted), len(predicted), len(actual)))
    return np.asarray(rows, dtype=np.float64)


FORMULAS: dict[str, Formula] = {
    "entity_f1": Sums(_counts, f1_of),
    "entity_precision": Sums(_counts, precision_of),
    "entity_recall": Sums(_counts, recall_of),
}
