"""The choice of the finalists: the winner, its cheaper rivals, and at how many seeds each is fitted.

It is made from validation scores and stored before the test split is opened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import msgspec

from tlbench.contracts.metric import Metric
from tlbench.contracts.policies.policy import Proposal
from tlbench.contracts.space import Value
from tlbench.finding.candidates.all_candidates import Entry
from tlbench.finding.costs.corrected_costs import Costs
from tlbench.finding.finals.ties import Contender, TieSet, size_of, tie_set
from tlbench.finding.find_folder import FindFolder, StoredFit
from tlbench.finding.fit_outcomes import validation_answers
from tlbench.finding.reserve import final_seconds

SEEDS = 3
SAFETY = 1.25
"""Factor by which the time for final fits exceeds what they are expected to take."""
MOST_RIVALS = 4
"""Number of settings that tie with the winner and get final fits if time is left."""
Part = Literal["winner", "cheapest", "smallest", "baseline", "rival"]


class Finalist(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A setting that is fitted at several seeds and scored on the test split."""

    part: Part
    """Why it is a finalist."""
    candidate: int
    fit: int
    """Number of its fit in the search."""
    params: dict[str, Value]
    seeds: tuple[int, ...] = (0,)


class Finals(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The finalists, the winner first, and the fits of the search that tie with it."""

    finalists: tuple[Finalist, ...]
    tied: tuple[int, ...]
    """Numbers of the fits that a paired test on validation answers does not tell from the winner."""
    cheapest: int
    """Number of the fit of the winner and those tied with it that took the least time."""
    smallest: int
    """Number of the one with the fewest parameters."""
    searched_seconds: float
    """The seconds on the clock when the search ended."""
    ended_because: str = ""
    rivals: tuple[Finalist, ...] = ()
    """Settings without seeds, which get final fits if the finalists leave time."""
    fold_scores: dict[int, float] = {}
    """The scores by cross-validation of the settings that tied, by number of the fit; empty if none was made."""


def contenders(
    fits: Sequence[StoredFit], entries: Sequence[Entry], folder: FindFolder, metric: Metric, positive: int
) -> list[Contender]:
    """Returns the best fit of each candidate that has one of full length whose answers are not constant.

    Where all are constant, as on a task that nothing learns, the constant ones are returned.
    """
    sign = 1.0 if metric.greater_is_better else -1.0
    whole = [one for one in fits if one.outcome is not None and one.outcome.ran_whole]
    useful = [one for one in whole if one.outcome is not None and not one.outcome.is_constant] or whole
    best: dict[int, Contender] = {}
    for fit in useful:
        assert fit.outcome is not None
        assert fit.outcome.score is not None
        number, score = fit.proposed.candidate, sign * fit.outcome.score
        if number not in best or score > best[number].score:
            answers = validation_answers(Path(folder.fit_folder(fit.number)), positive)
            candidate = entries[number].candidate
            size = candidate.parameters or (None if candidate.backbone else 0)
            best[number] = Contender(fit.number, number, score, fit.outcome.work_seconds, size, answers)
    return [best[number] for number in sorted(best)]


def choose_finalists(
    found: Sequence[Contender], fits: Sequence[StoredFit], entries: Sequence[Entry], metric: Metric,
    costs: Costs, seconds: float, workers: int, elapsed: float, ended_because: str = "",
    fold_scores: Mapping[int, float] = MappingProxyType({}),
) -> Finals:  # fmt: skip
    """Returns the finalists of a search and as many seeds for each as the time holds, at most `SEEDS`.

    Args:
        found: The best fit of each candidate, at least one.
        fits: All fits of the search.
        entries: The candidates.
        metric: The metric.
        costs: The expected seconds of fits.
        seconds: The time for all finals.
        workers: Number of workers.
        elapsed: The seconds on the clock.
        ended_because: Why the search ended.
        fold_scores: Scores by cross-validation, signed so that greater is better, by number of the fit; they decide
            between those that have one.
    """
    compared = [one for one in found if one.number in fold_scores]
    # The first of equal ones, in the order of the proposals.
    winner = max(compared or found, key=lambda one: (fold_scores.get(one.number, 0.0), one.score, -one.number))
    ties = tie_set(found, winner, metric)
    chosen = _chosen(found, ties, entries)
    params = {one.number: fits[one.number].proposed.params for one in found}
    counts = _seeds(chosen, params, costs, seconds, workers)
    finalists = [
        Finalist(part, one.candidate, one.number, params[one.number], tuple(range(count)))
        for (part, one), count in zip(chosen, counts, strict=True)
        if count
    ]
    tied = tuple(one.number for one in ties.tied)
    planned = {one.fit for one in finalists}
    others: list[tuple[Part, Contender]] = [*chosen, *(("rival", one) for one in ties.tied[:MOST_RIVALS])]
    waiting: dict[int, Finalist] = {}
    for part, one in others:
        if one.number not in planned:
            rival = Finalist(part, one.candidate, one.number, params[one.number], ())
            waiting.setdefault(one.number, rival)
    return Finals(
        tuple(finalists), tied, ties.cheapest.number, ties.smallest.number, elapsed, ended_because,
        tuple(waiting.values()), dict(fold_scores),
    )  # fmt: skip


def _chosen(found: Sequence[Contender], ties: TieSet, entries: Sequence[Entry]) -> list[tuple[Part, Contender]]:
    chosen: list[tuple[Part, Contender]] = [("winner", ties.winner)]
    rivals: tuple[tuple[Part, Contender], ...] = (("cheapest", ties.cheapest), ("smallest", ties.smallest))
    for part, rival in rivals:
        # A rival that is neither cheaper nor smaller than the winner is no reason to spend more.
        is_smaller = size_of(rival) < size_of(ties.winner) or rival.seconds < ties.winner.seconds
        if is_smaller and all(rival is not other for _, other in chosen):
            chosen.append((part, rival))
    baselines = [one for one in found if entries[one.candidate].candidate.role == "baseline"]
    if baselines:
        best = max(baselines, key=lambda one: (one.score, -one.number))
        if all(best is not other for _, other in chosen):
            chosen.append(("baseline", best))
    return chosen


def _seeds(
    chosen: Sequence[tuple[Part, Contender]], params: dict[int, dict[str, Value]], costs: Costs, seconds: float,
    workers: int,
) -> list[int]:  # fmt: skip
    """Returns the number of seeds of each finalist: one for each in turn, then more for each in turn."""

    def price(number: int, seeds: int) -> float:
        one = chosen[number][1]
        return SAFETY * final_seconds(Proposal(one.candidate, params[one.number]), costs, workers, seeds)

    counts = [0] * len(chosen)
    spent = 0.0
    for wanted in (1, SEEDS):
        for number in range(len(chosen)):
            for seeds in range(wanted, counts[number], -1):
                more = price(number, seeds) - (price(number, counts[number]) if counts[number] else 0.0)
                # The winner is always scored once.
                if spent + more <= seconds or (number == 0 and seeds == 1):
                    spent += more
                    counts[number] = seeds
                    break
    return counts
