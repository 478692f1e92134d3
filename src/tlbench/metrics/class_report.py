"""What each class is found by, and what it is confused with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from tlbench.contracts.outputs import Output
from tlbench.contracts.record import ClassReport, ClassScore
from tlbench.metrics.builtin.tagging import entities_of
from tlbench.metrics.scored import Array, Scored


def report_of(output: Output, seeds: Sequence[Scored]) -> ClassReport:
    """Returns the report on an output's classes over all seeds: its own, or the usual one of its shape."""
    own = output.report(seeds)
    if own is not None:
        return own
    if output.answers == "labels":
        return of_labels(output.classes, seeds)
    if output.answers == "tags":
        return of_words(output.classes, seeds)
    if output.answers == "numbers" and output.whole and output.classes:
        return of_classes(output.classes, seeds)
    return ClassReport()


def of_labels(names: Sequence[str], seeds: Sequence[Scored]) -> ClassReport:
    """Returns the report on labels, of which an example may have any number."""
    said = np.sum([scored.values.sum(axis=0) for scored in seeds], axis=0)
    true = np.sum([scored.targets.sum(axis=0) for scored in seeds], axis=0)
    hit = np.sum([(scored.values * scored.targets).sum(axis=0) for scored in seeds], axis=0)
    return ClassReport(_rows(names, hit, said, true, len(seeds)))


def of_words(names: Sequence[str], seeds: Sequence[Scored]) -> ClassReport:
    """Returns the report on tags of words: in BIO tags the classes are the types of entities, what is confused tags."""
    each = of_classes(names, [_words(names, scored) for scored in seeds])
    types = sorted({name.partition("-")[2] for name in names if name[:2] in {"B-", "I-"}})
    return ClassReport(_of_entities(types, seeds), each.names, each.confusion) if types else each


def of_classes(names: Sequence[str], seeds: Sequence[Scored]) -> ClassReport:
    """Returns the report on classes of which every example has one."""
    size = len(names)
    matrix = np.zeros((size, size), dtype=np.int64)
    for scored in seeds:
        matrix += np.bincount(scored.targets * size + scored.values, minlength=size * size).reshape(size, size)
    rows = _rows(names, matrix.diagonal(), matrix.sum(axis=0), matrix.sum(axis=1), len(seeds))
    entries = tuple((int(i), int(j), int(matrix[i, j])) for i, j in zip(*matrix.nonzero(), strict=True))
    return ClassReport(rows, tuple(names), entries)


def _words(names: Sequence[str], scored: Scored) -> Scored:
    """Returns each word as an example of its own."""
    index = {name: i for i, name in enumerate(names)}

    def flat(tags: Iterable[Sequence[str]]) -> Array:
        return np.fromiter((index[tag] for row in tags for tag in row), dtype=np.int64)

    return Scored(flat(scored.targets), flat(scored.values))


def _of_entities(types: Sequence[str], seeds: Sequence[Scored]) -> tuple[ClassScore, ...]:
    hit: Counter[str] = Counter()
    said: Counter[str] = Counter()
    true: Counter[str] = Counter()
    for scored in seeds:
        for target, value in zip(scored.targets, scored.values, strict=True):
            asked, found = entities_of(target), entities_of(value)
            for counter, entities in ((hit, asked & found), (said, found), (true, asked)):
                counter.update(kind for kind, _, _ in entities)
    counts = [np.asarray([counter[kind] for kind in types]) for counter in (hit, said, true)]
    return _rows(types, counts[0], counts[1], counts[2], len(seeds))


def _rows(names: Sequence[str], hit: Array, said: Array, true: Array, seeds: int) -> tuple[ClassScore, ...]:
    counts = zip(names, hit.tolist(), said.tolist(), true.tolist(), strict=True)
    return tuple(
        ClassScore(name, _share(h, s), _share(h, t), _share(2 * h, s + t), t // seeds) for name, h, s, t in counts
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
