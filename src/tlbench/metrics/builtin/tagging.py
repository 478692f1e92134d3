"""Metrics of entities in BIO tags, over all entities together: right are those whose type and words are all right.

Like seqeval and conlleval: an I that follows no entity of its type begins one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tlbench.metrics.builtin.classification import f1_of, precision_of, recall_of
from tlbench.metrics.formula import Formula, Sums
from tlbench.metrics.scored import Floats, Scored


def entities_of(tags: Sequence[str]) -> set[tuple[str, int, int]]:
    """Returns type, first and last word of each entity of a sequence of tags such as B-PER, I-PER and O."""
    found: set[tuple[str, int, int]] = set()
    open_type, start = None, 0
    for i, tag in enumerate([*tags, "O"]):
        prefix, _, kind = tag.partition("-")
        inside = prefix in {"B", "I"}
        if open_type is not None and not (prefix == "I" and kind == open_type):
            found.add((open_type, start, i - 1))
            open_type = None
        if inside and open_type is None:
            open_type, start = kind, i
    return found


def _counts(scored: Scored) -> Floats:
    """Returns (N, 3): how many entities are said and true, said, true."""
    rows = []
    for target, value in zip(scored.targets, scored.values, strict=True):
        true, said = entities_of(target), entities_of(value)
        rows.append((len(true & said), len(said), len(true)))
    return np.asarray(rows, dtype=np.float64)


FORMULAS: dict[str, Formula] = {
    "entity_f1": Sums(_counts, f1_of),
    "entity_precision": Sums(_counts, precision_of),
    "entity_recall": Sums(_counts, recall_of),
}
