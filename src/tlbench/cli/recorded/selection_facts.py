"""The facts that `tlbench show <cell>` prints on a search: its optimism and the expected best score of n trials."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tlbench.cli.recorded.sparklines import sparkline
from tlbench.contracts.metric import Metric
from tlbench.contracts.record import Record
from tlbench.results.selection.expected_best import INDEPENDENT, expected_best, trial_scores
from tlbench.results.selection.optimism import Optimism, interval, optimism
from tlbench.results.selection.search_budget import search_budget


def selection_facts(record: Record, metrics: Mapping[str, Metric]) -> list[tuple[str, str]]:
    """Returns (label, text) pairs on the selection's optimism and the expected best score; empty without scores."""
    metric = _metric(record, metrics)
    facts = []
    one = optimism(record)
    if one is not None:
        facts.append(("optimism", _optimism_text(one, metric)))
    curve = _curve(record, metric)
    if len(curve) > 1:
        shown = [n for n in (2**k for k in range(len(curve).bit_length())) if n < len(curve)] + [len(curve)]
        texts = ", ".join(f"{curve[n - 1]:.4f} after {n}" for n in shown)
        drawn = f" {sparkline(curve)}" if len(curve) > 2 else ""
        facts.append(("expected best", f"validation {texts} of {len(curve)} trials{drawn}{_caution(record)}"))
    return [*facts, *_curves(record)]


def _curves(record: Record) -> Iterator[tuple[str, str]]:
    """Yields the learning curves of the first final fit: validation scores and training losses by step."""
    history = record.fits[0].history if record.fits else ()
    curves = {
        "validation by step": [(point.step, point.score) for point in history if point.score is not None],
        "training loss": [
            (point.step, point.loss) for point in history if point.score is None and point.loss is not None
        ],
    }
    for label, points in curves.items():
        if len(points) > 1:
            (first, begins), (last, ends) = points[0], points[-1]
            drawn = sparkline([value for _, value in points])
            yield (
                label,
                f"{drawn} {begins:.4g} at step {first} to {ends:.4g} at step {last} (seed {record.fits[0].seed})",
            )


def record_json(record: Record, metrics: Mapping[str, Metric]) -> str:
    """Returns the scores of a cell, the optimism of its selection and the expected best of n trials as JSON."""
    metric = _metric(record, metrics)
    one = optimism(record)
    content: dict[str, Any] = {
        "cell": record.cell.id,
        "title": record.cell.title,
        "status": record.status,
        "metric": metric.name if metric else (record.metrics[0] if record.metrics else ""),
        "greater_is_better": metric.greater_is_better if metric else None,
        "best_params": record.best_params,
        "validation": record.validation,
        "scores": [
            {"metric": s.metric, "seed": s.seed, "slice": s.slice, "value": s.value, "low": s.low, "high": s.high}
            for s in record.scores
        ],
        "optimism": None if one is None else _optimism_values(one),
        "search_budget": search_budget(record),
        "sampler": record.cell.protocol.sampler if record.trials else None,
        "trials_are_independent": record.cell.protocol.sampler in INDEPENDENT if record.trials else None,
        "expected_best": [
            {"trials": n, "validation": value} for n, value in enumerate(_curve(record, metric), start=1)
        ],
    }
    # Escaped to ASCII, so that texts of a record cannot send control characters to the terminal.
    return json.dumps(content, indent=1)


def _metric(record: Record, metrics: Mapping[str, Metric]) -> Metric | None:
    return metrics.get(record.metrics[0]) if record.metrics else None


def _curve(record: Record, metric: Metric | None) -> list[float]:
    # If the metric is not installed, for lack of its plugin, it is unknown which of two scores is better.
    if metric is None:
        return []
    return expected_best(trial_scores(record, metric.greater_is_better), metric.greater_is_better)


def _optimism_values(one: Optimism) -> dict[str, Any]:
    low, high = interval(one) if one.is_uncertain else (None, None)
    return {"value": one.value, "low": low, "high": high, "counts": _counted(one)}


def _optimism_text(one: Optimism, metric: Metric | None) -> str:
    values = _optimism_values(one)
    ends = "" if values["low"] is None else f" [{values['low']:+.4f}, {values['high']:+.4f}]"
    lower = " (lower is better)" if metric is not None and not metric.greater_is_better else ""
    missing = "" if one.counts_validation else ", not over validation examples"
    counts = f"; interval over {' and '.join(values['counts'])}{missing}" if ends else ""
    return f"{one.value:+.4f}{ends}  validation minus test{lower}{counts}"


def _counted(one: Optimism) -> list[str]:
    examples = ["validation examples"] if one.counts_validation else []
    return ["test examples", *examples, *(["seeds"] if one.between_seeds > 0 else [])]


def _caution(record: Record) -> str:
    sampler = record.cell.protocol.sampler
    if sampler in INDEPENDENT:
        return ""
    return f"; trials of {sampler} are not independent, so this describes this search and predicts no other"
