"""Summarises the pairs of a row: ratios, seconds, scores, and a test of their difference."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.speed.contest import Side
from benchmarks.speed.ledger import Measurement, Pair
from benchmarks.speed.sides.job import CellReport
from tlbench.results.stats import CellPredictions, Difference, holm, paired_difference

RESAMPLES = 10_000


@dataclass(frozen=True)
class Spread:
    """Smallest, middle and largest of several figures."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, figures: Sequence[float]) -> Spread:
        """Returns the spread of at least one figure."""
        return cls(min(figures), statistics.median(figures), max(figures))


@dataclass(frozen=True)
class Scores:
    """The scores of both sides, averaged over strategies, rounds and seeds, and the test of their difference."""

    validation: tuple[float, float]
    """tlbench, peer."""
    test: tuple[float, float]
    p: float
    """Two-sided; of several strategies the smallest, corrected by Holm for being several."""
    lowest: Difference
    """tlbench less peer, of the strategy with that p."""


@dataclass(frozen=True)
class Memory:
    """Memory of the pairs for which it could be read on both sides."""

    peaks: tuple[float, float]
    """Medians of the peak bytes: tlbench, peer."""
    ratio: Spread
    """Of each pair's peak bytes, peer over tlbench."""
    growth: tuple[float, float]
    """Medians of the last third's highest memory over the middle third's."""

    @classmethod
    def of(cls, pairs: Sequence[Pair]) -> Memory | None:
        """Returns the memory of the pairs, or None if it was read for none."""
        known = [pair for pair in pairs if pair.tlbench.peak_bytes and pair.peer.peak_bytes]
        if not known:
            return None
        ours, theirs = [pair.tlbench for pair in known], [pair.peer for pair in known]
        return cls(
            peaks=_medians(ours, theirs, lambda side: side.peak_bytes),
            ratio=Spread.of([pair.peer.peak_bytes / pair.tlbench.peak_bytes for pair in known]),
            growth=_medians(ours, theirs, lambda side: growth(side.over_time_bytes)),
        )


@dataclass(frozen=True)
class Summary:
    """A row of the table."""

    rounds: int
    whole: Spread
    """Ratio of each pair: the peer's seconds over tlbench's, the whole process."""
    work: Spread | None
    """The same of the work alone: without starting Python and importing."""
    seconds: tuple[float, float]
    """Medians of the whole process: tlbench, peer."""
    work_seconds: tuple[float, float] | None
    memory: Memory | None
    """None where no pair's memory could be read."""
    scores: Scores


def summarise(row: Measurement) -> Summary:
    """Returns the summary of at least one pair."""
    ours, theirs = [pair.tlbench for pair in row.pairs], [pair.peer for pair in row.pairs]
    works = [(a.work_seconds, b.work_seconds) for a, b in zip(ours, theirs, strict=True)]
    timed = [(a, b) for a, b in works if a and b]
    return Summary(
        rounds=len(row.pairs),
        whole=Spread.of([b.whole_seconds / a.whole_seconds for a, b in zip(ours, theirs, strict=True)]),
        work=Spread.of([b / a for a, b in timed]) if timed else None,
        seconds=_medians(ours, theirs, lambda side: side.whole_seconds),
        work_seconds=(statistics.median([a for a, _ in timed]), statistics.median([b for _, b in timed]))
        if timed
        else None,
        memory=Memory.of(row.pairs),
        scores=scores(row),
    )


def growth(over_time_bytes: Sequence[int]) -> float:
    """Returns the highest memory in the last third of a run over that in the middle third; 1 is flat."""
    third = len(over_time_bytes) // 3
    if not third:
        return 1.0
    return max(over_time_bytes[-third:]) / max(over_time_bytes[third:-third])


def scores(row: Measurement) -> Scores:
    """Returns both sides' scores and the paired test of their difference over examples, rounds and seeds."""
    ours, theirs = ([getattr(pair, side).cells for pair in row.pairs] for side in ("tlbench", "peer"))
    differences = [
        paired_difference("accuracy", _answers(row, ours, i), _answers(row, theirs, i), resamples=RESAMPLES)
        for i in range(len(ours[0]))
    ]
    corrected = holm([difference.p for difference in differences])
    lowest = min(range(len(corrected)), key=lambda i: (corrected[i], differences[i].value))
    return Scores(
        (_validation(ours), _validation(theirs)),
        (_test(row, ours), _test(row, theirs)),
        corrected[lowest],
        differences[lowest],
    )


def _answers(row: Measurement, rounds: Sequence[Sequence[CellReport]], cell: int) -> CellPredictions:
    """Returns a strategy's answers: rounds count as seeds, unless each round ran the same seeds."""
    found: dict[int, list[int]] = {}
    for cells in rounds:
        for seed, predictions in cells[cell].predictions.items():
            found.setdefault(int(seed), [int(one) for one in predictions])
    ids = tuple(str(i) for i in range(len(row.targets)))
    targets = np.array([int(one) for one in row.targets])
    return CellPredictions(ids, targets, np.array([found[seed] for seed in sorted(found)]), tuple(sorted(found)))


def _validation(rounds: Sequence[Sequence[CellReport]]) -> float:
    return statistics.mean(cell.validation for cells in rounds for cell in cells)


def _test(row: Measurement, rounds: Sequence[Sequence[CellReport]]) -> float:
    rows = [predicted for cells in rounds for cell in cells for predicted in cell.predictions.values()]
    return statistics.mean(a == b for predicted in rows for a, b in zip(row.targets, predicted, strict=True))


def _medians(ours: Sequence[Side], theirs: Sequence[Side], figure: Callable[[Side], float]) -> tuple[float, float]:
    return statistics.median(map(figure, ours)), statistics.median(map(figure, theirs))
