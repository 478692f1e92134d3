"""The classification report: precision, recall and F1 of each class, and the confusion matrix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from tlbench.contracts.fits.class_scores import ClassReport, ClassScore
from tlbench.contracts.outputs import Output
from tlbench.metrics.builtin.tagging import entities_of
from tlbench.metrics.scored import Array, Scored


def report_of(output: Output, seeds: Sequence[Scored]) -> ClassReport:
    """Returns the classification report pooled over all seeds: the output's own, or the standard one of its form."""
    custom = output.report(seeds)
    if custom is not None:
        return custom
    if output.answers == "labels":
        return labels_report(output.classes, seeds)
    if output.answers == "tags":
        return tags_report(output.classes, seeds)
    if output.answers == "numbers" and output.whole and output.classes:
        return classes_report(output.classes, seeds)
    return ClassReport()


def labels_report(names: Sequence[str], seeds: Sequence[Scored]) -> ClassReport:
    """Returns the report for multi-label predictions (N, K), with each label counted as a binary problem of its own."""
    predicted = np.sum([scored.values.sum(axis=0) for scored in seeds], axis=0)
    actual = np.sum([scored.targets.sum(axis=0) for scored in seeds], axis=0)
    correct = np.sum([(scored.values * scored.targets).sum(axis=0) for scored in seeds], axis=0)
    return ClassReport(_class_scores(names, correct, predicted, actual, len(seeds)))


def tags_report(names: Sequence[str], seeds: Sequence[Scored]) -> ClassReport:
    """Returns the report for tags.

    With BIO tags, precision, recall and F1 are those of entity types, as in seqeval; the confusion matrix is always of
    tags.
    """
    by_tag = classes_report(names, [_word_examples(names, scored) for scored in seeds])
    types = sorted({name.partition("-")[2] for name in names if name[:2] in {"B-", "I-"}})
    return ClassReport(_entity_scores(types, seeds), by_tag.names, by_tag.confusion) if types else by_tag


def classes_report(names: Sequence[str], seeds: Sequence[Scored]) -> ClassReport:
    """Returns the report for single-label predictions, with the non-zero entries of the confusion matrix."""
    # A pair (target, prediction) is encoded as one integer, so that a single bincount fills the matrix.
    size = len(names)
    matrix = np.zeros((size, size), dtype=np.int64)
    for scored in seeds:
        matrix += np.bincount(scored.targets * size + scored.values, minlength=size * size).reshape(size, size)
    rows = _class_scores(names, matrix.diagonal(), matrix.sum(axis=0), matrix.sum(axis=1), len(seeds))
    entries = tuple((int(i), int(j), int(matrix[i, j])) for i, j in zip(*matrix.nonzero(), strict=True))
    return ClassReport(rows, tuple(names), entries)


def _word_examples(names: Sequence[str], scored: Scored) -> Scored:
    """Returns targets and predictions with all words in one row, as class indices."""
    index = {name: i for i, name in enumerate(names)}

    def flat(tags: Iterable[Sequence[str]]) -> Array:
        return np.fromiter((index[tag] for row in tags for tag in row), dtype=np.int64)

    return Scored(flat(scored.targets), flat(scored.values))


def _entity_scores(types: Sequence[str], seeds: Sequence[Scored]) -> tuple[ClassScore, ...]:
    correct: Counter[str] = Counter()
    predicted: Counter[str] = Counter()
    actual: Counter[str] = Counter()
    for scored in seeds:
        for target, value in zip(scored.targets, scored.values, strict=True):
            targets, predictions = entities_of(target), entities_of(value)
            for counter, entities in ((correct, targets & predictions), (predicted, predictions), (actual, targets)):
                counter.update(kind for kind, _, _ in entities)
    counts = [np.asarray([counter[kind] for kind in types]) for counter in (correct, predicted, actual)]
    return _class_scores(types, counts[0], counts[1], counts[2], len(seeds))


def _class_scores(
    names: Sequence[str], correct: Array, predicted: Array, actual: Array, seeds: int
) -> tuple[ClassScore, ...]:
    counts = zip(names, correct.tolist(), predicted.tolist(), actual.tolist(), strict=True)
    # Counts are sums over seeds that share one test split, so the support of one seed is the sum divided by the seeds.
    return tuple(
        ClassScore(
            name,
            _ratio(tp, n_predicted),
            _ratio(tp, n_actual),
            _ratio(2 * tp, n_predicted + n_actual),
            n_actual // seeds,
        )
        for name, tp, n_predicted, n_actual in counts
    )


def _ratio(part: int, whole: int) -> float:
    # 0 where the denominator is 0, which is scikit-learn's `zero_division=0`.
    return part / whole if whole else 0.0
