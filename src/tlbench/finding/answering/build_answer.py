"""Builds the answer of a search from its fits, the choice of the finalists and their records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tlbench.contracts.metric import Metric
from tlbench.contracts.record import Record
from tlbench.finding.answering.accounts import spent_on, untried_of
from tlbench.finding.answering.answer import FindAnswer, FoundSetting, Interval, Optimistic, Untried
from tlbench.finding.answering.deciding_labels import DecidingLabels, deciding_labels
from tlbench.finding.candidates.all_candidates import Candidates
from tlbench.finding.costs.corrected_costs import Costs
from tlbench.finding.endings import HAD_MORE
from tlbench.finding.finals.finalists import Finals
from tlbench.finding.finals.ties import Contender
from tlbench.finding.find_folder import StoredFit
from tlbench.finding.request import FindRequest
from tlbench.finding.reserve import FEW_ROWS, FOLDS, USED
from tlbench.results.ranking import by_predictions
from tlbench.results.records.store import Store
from tlbench.results.records.stored_predictions import read_predictions
from tlbench.results.records.summaries import CellSummary, summaries_of
from tlbench.results.selection.optimism import interval, optimism
from tlbench.results.stats import CellPredictions


@dataclass(frozen=True)
class EndedSearch:
    """A search that has ended, and its finals."""

    request: FindRequest
    candidates: Candidates
    fits: Sequence[StoredFit]
    found: Sequence[Contender]
    """The best fit of each candidate."""
    finals: Finals | None
    """None if no fit gave a score."""
    records: Mapping[int, Record]
    """The records of the finalists, by the number of their fit."""
    metric: Metric
    costs: Costs
    seconds: float
    """All seconds on the clock."""
    search_ends: float
    """The time on the clock at which the search had to end."""
    max_steps: int | None
    store: Store
    ended_because: str = ""
    latencies: Mapping[str, str] = field(default_factory=dict)
    """Texts of measured latencies, by backbone."""
    constant: FoundSetting | None = None
    """The best constant answer, if no fit gave a score."""
    slowness: str = ""
    """How long the winner's saved model takes to predict, if the request limits it."""


def build_answer(search: EndedSearch) -> FindAnswer:
    """Returns the answer of a search."""
    finals, metric = search.finals, search.metric
    searched = finals.searched_seconds if finals else search.seconds
    settings = _settings(search)
    winner = settings.get(finals.finalists[0].fit) if finals else search.constant
    tied = tuple(settings[number] for number in finals.tied if number in settings) if finals else ()
    deciding, rival = _deciding(search, settings)
    ended = finals.ended_because if finals else search.ended_because
    return FindAnswer(
        search.request,
        metric.name,
        metric.greater_is_better,
        metric.points,
        search.costs.shape.train_rows,
        search.costs.shape.validation_rows,
        search.max_steps,
        winner,
        tied,
        settings.get(finals.cheapest) if finals else None,
        settings.get(finals.smallest) if finals else None,
        _baseline(search, settings),
        deciding,
        rival,
        _optimism(search),
        searched,
        max(0.0, search.seconds - searched),
        spent_on(search.fits, search.candidates.entries, metric),
        untried_of(
            search.fits, search.candidates.entries, search.costs, max(0.0, search.search_ends - searched), ended
        ),
        tuple(Untried(one.title, one.reason) for one in search.candidates.excluded),
        tuple(_notes(search, winner, list(settings.values()), searched, ended)),
        search.costs.share_close,
    )


def _settings(search: EndedSearch) -> dict[int, FoundSetting]:
    """Returns the best setting of each candidate by the number of its fit, with the test scores of finalists."""
    sign = 1.0 if search.metric.greater_is_better else -1.0
    seeds = {one.fit: one.seeds for one in search.finals.finalists} if search.finals else {}
    tests = _test_scores(search)
    found = {}
    for one in search.found:
        entry, record = search.candidates.entries[one.candidate], search.records.get(one.number)
        fit = search.fits[one.number]
        assert fit.outcome is not None
        trainable = fit.outcome.fit.trainable_parameters if fit.outcome.fit else 0
        found[one.number] = FoundSetting(
            entry.candidate.backbone,
            entry.candidate.strategy,
            fit.proposed.params,
            sign * one.score,
            one.seconds,
            one.parameters,
            trainable,
            one.number,
            # A cell that ran out of time was removed.
            record.cell.id if record and record.status != "timeout" else "",
            len(record.fits) if record and record.status == "ok" else 0,
            tests.get(one.number),
            fit.outcome.is_constant,
            _untested(record, one.number in seeds),
        )
    return found


def _untested(record: Record | None, is_finalist: bool) -> str:
    if record is None:
        return "no time was left for its final fits" if is_finalist else "not a finalist"
    return "" if record.status == "ok" else f"{record.status}: {record.reason}"


def _test_scores(search: EndedSearch) -> dict[int, Interval]:
    scored = {number: record for number, record in search.records.items() if record.status == "ok"}
    if not scored:
        return {}
    # Seeds and test examples both count where there are seeds enough, as in leaderboards.
    summaries = {one.cell: one for one in summaries_of(list(scored.values())).cells}
    ordered = [summaries[record.cell.id] for record in scored.values()]
    places = by_predictions(search.metric, ordered, lambda one: _predictions(search.store, one))
    found = {}
    for number, summary, place in zip(scored, ordered, places, strict=True):
        if summary.value is None or summary.low is None or summary.high is None:
            continue
        if place.low is not None and place.high is not None and summary.seeds >= 3:
            found[number] = Interval(summary.value, place.low, place.high, "the strategy")
        else:
            of = "this fit" if summary.seeds == 1 else "these fits"
            found[number] = Interval(summary.value, summary.low, summary.high, of)
    return found


def _predictions(store: Store, summary: CellSummary) -> CellPredictions | None:
    path = store.predictions(summary)
    try:
        if path is None:
            return None
        return read_predictions(path, with_scores=True, digest=summary.predictions_digest)
    except (OSError, ValueError):
        return None


def _deciding(search: EndedSearch, settings: Mapping[int, FoundSetting]) -> tuple[DecidingLabels | None, str]:
    """Returns how many labels would decide between the winner and a rival, and the rival's title.

    The rival is the cheapest of the tie set that is not the winner, or else its best. Test answers are used if both
    have some.
    """
    finals = search.finals
    if finals is None or not finals.tied:
        return None, ""
    winner = finals.finalists[0].fit
    rival = next((one for one in (finals.cheapest, finals.smallest, *finals.tied) if one != winner), None)
    by_number = {one.number: one for one in search.found}
    if rival is None or rival not in by_number:
        return None, ""
    title = settings[rival].title
    tests = [_test_answers(search, number) for number in (winner, rival)]
    validations = [by_number[number].answers for number in (winner, rival)]
    for split, answers in (("test", tests), ("validation", validations)):
        first, second = answers
        if first is not None and second is not None:
            return deciding_labels(search.metric, first, second, split), title
    return None, title


def _test_answers(search: EndedSearch, number: int) -> CellPredictions | None:
    record = search.records.get(number)
    if record is None or record.status != "ok":
        return None
    return _predictions(search.store, summaries_of([record]).cells[0])


def _optimism(search: EndedSearch) -> Optimistic | None:
    record = search.records.get(search.finals.finalists[0].fit) if search.finals else None
    one = optimism(record) if record is not None else None
    if one is None:
        return None
    low, high = interval(one) if one.is_uncertain else (None, None)
    whole = sum(fit.outcome is not None and fit.outcome.ran_whole for fit in search.fits)
    return Optimistic(one.value, low, high, whole)


def _baseline(search: EndedSearch, settings: Mapping[int, FoundSetting]) -> FoundSetting | None:
    sign = 1.0 if search.metric.greater_is_better else -1.0
    mine = [one for one in settings.values() if not one.backbone]
    return max(mine, key=lambda one: sign * one.validation, default=None)


def _notes(
    search: EndedSearch, winner: FoundSetting | None, found: Sequence[FoundSetting], searched: float, ended: str
) -> list[str]:
    notes = []
    rows = search.costs.shape.validation_rows
    if rows < FEW_ROWS and found:
        notes.append(f"{rows} validation rows say little: {_folds_note(search, found)}")
    if winner is not None and not winner.backbone:
        tried = any(one.backbone for one in found)
        did = "no backbone did better than this baseline" if tried else "no backbone was fitted to its end"
        notes.append(f"{did} within the time")
    if found and winner is not None and winner.is_constant:
        notes.append("every fit gives the same answer to all examples: nothing was learnt within the time")
    if winner is not None and winner.backbone in search.latencies:
        notes.append(f"{winner.backbone} predicts in {search.latencies[winner.backbone]} (95% points)")
    if search.slowness:
        notes.append(search.slowness)
    seen, rows = search.costs.shape.train_rows, search.costs.shape.all_rows
    if seen < rows and search.request.train_limit is None:
        notes.append(f"fits saw {seen:,} of {rows:,} training rows, since more would not fit into the time")
    budget = search.request.seconds
    if search.seconds < USED * budget and ended:
        rest = "; no further seed fits into what its final fits left" if ended in HAD_MORE else ""
        notes.append(f"{search.seconds:.0f} of {budget:.0f} s were used: {ended}{rest}")
    return notes


def _folds_note(search: EndedSearch, found: Sequence[FoundSetting]) -> str:
    scores = search.finals.fold_scores if search.finals else {}
    if not scores:
        rest = f"{FOLDS} fits of each of two would not fit into the rest of the time"
        few = "nothing ties" if search.finals and not search.finals.tied else rest
        return f"no settings were compared by cross-validation, since {few}; a run with --folds {FOLDS} does it"
    sign, metric = 1.0 if search.metric.greater_is_better else -1.0, search.metric
    titles = {one.fit: one.title for one in found}
    ordered = sorted(scores, key=lambda number: -scores[number])
    texts = [f"{titles[number]} {sign * scores[number] * metric.points:.4g}" for number in ordered if number in titles]
    return f"{FOLDS}-fold cross-validation chose between {' and '.join(texts)}"
