"""The texts of a comparison: facts on two results, or a table of the cells of two folders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tlbench.cli.text_tables import print_facts, print_rows
from tlbench.contracts.metric import Metric
from tlbench.results.comparison.cell_pairs import CellPairs
from tlbench.results.comparison.paired_test import SAME
from tlbench.results.comparison.verdicts import FAILS, Comparison, Verdict
from tlbench.results.recommendation.costs import cost_text, costs_of
from tlbench.results.records.summaries import CellSummary
from tlbench.results.render import value_texts as cells
from tlbench.results.render.escaping import printable

_MOST_LISTED = 10
_SENTENCES: dict[Verdict, str] = {
    "regression": "regression: B is worse than A by more than the margin of {margin}",
    "lost": "regression: B has no score",
    "worse": "B is worse than A, by no more than the margin of {margin}",
    "better": "B is better than A",
    "equal": "practically equal: the difference is within the margin of {margin}",
    "not told apart": "not told apart: the data leave open which is better",
    "not tested": "not tested",
    "no score": "neither has a score",
    "new score": "A has no score",
}


def print_one(first: str, second: str, comparison: Comparison) -> None:
    """Prints the facts of one comparison."""
    test, metric = comparison.test, comparison.metric
    rows = [("A", _side_text(first, comparison.first)), ("B", _side_text(second, comparison.second))]
    if test is not None:
        examples = f"{test.examples:,} examples" + (f" in {test.groups:,} groups" if test.groups else "")
        seeds = " and ".join(map(str, test.seeds))
        rows += [
            (
                metric.label,
                f"A {_value(test.first, metric)}, B {_value(test.second, metric)}  ({examples}; seeds {seeds})",
            ),
            ("B minus A", f"{_signed(test.difference, metric)}{_interval(comparison)}{_unit(metric)}"),
            ("test", "none" if test.p is None else f"p = {_p_text(test.p)}  ({test.test})"),
            ("only one right", _counts_text(comparison)),
            ("could be found", _detectable(comparison, " with 80% power")),
        ]
    rows += [("note", note) for note in comparison.notes]
    for which, one in (("cost of A", comparison.first), ("cost of B", comparison.second)):
        rows.append((which, "" if one is None else cost_text(costs_of(one))))
    rows.append(("verdict", _sentence(comparison)))
    print_facts(rows)


def print_several(first: str, second: str, comparisons: Sequence[Comparison], pairs: CellPairs) -> None:
    """Prints a table of comparisons, the cells that only one folder has, and the number of each verdict."""
    print(f"A {printable(first)}, B {printable(second)}; differences are B minus A")
    headings = ("task", "backbone", "strategy", "A", "B", "difference", "95% interval", "p (Holm)", "right: only A/B",
                "finds", "time A", "time B", "verdict")  # fmt: skip
    print_rows(headings, [_row(one) for one in comparisons])
    notes = Counter(note for one in comparisons for note in one.notes)
    for note, count in notes.most_common(_MOST_LISTED):
        print(printable(f"note: {note}{'' if count == 1 else f' ({count} cells)'}"))
    for which, only in (("A", pairs.only_first), ("B", pairs.only_second)):
        if only:
            names = "; ".join(" | ".join((one.task, one.backbone or "-", one.strategy)) for one in only[:_MOST_LISTED])
            more = f"; and {len(only) - _MOST_LISTED} more" if len(only) > _MOST_LISTED else ""
            print(printable(f"only in {which}: {names}{more}", 2000))
    verdicts = Counter(one.verdict for one in comparisons)
    print(
        f"{len(comparisons)} compared: {', '.join(f'{count} {verdict}' for verdict, count in verdicts.most_common())}"
    )
    failed = [one for one in comparisons if one.verdict in FAILS]
    for one in failed[:_MOST_LISTED]:
        print(printable(f"{one.name}: {_sentence(one)}"))


def _row(one: Comparison) -> tuple[str, ...]:
    test, metric, (first, second) = one.test, one.metric, (one.first, one.second)
    assert first is not None  # both sides are cells
    assert second is not None
    names = (first.task, first.backbone or cells.NOTHING, first.strategy)
    times = cells.seconds(first.total_seconds), cells.seconds(second.total_seconds)
    if test is None:
        scores = [_value(side.value, metric) if side.value is not None else side.status for side in (first, second)]
        return *names, *scores, *[cells.NOTHING] * 5, *times, one.verdict
    return (
        *names,
        _value(test.first, metric),
        _value(test.second, metric),
        _signed(test.difference, metric),
        _interval(one).strip() or cells.NOTHING,
        cells.NOTHING if one.corrected_p is None else _p_text(one.corrected_p),
        cells.NOTHING if test.only_first is None else f"{test.only_first}/{test.only_second}",
        cells.NOTHING if test.detectable is None else _value(test.detectable, metric),
        *times,
        one.verdict,
    )


def _sentence(one: Comparison) -> str:
    if one.test is not None and one.test.test == SAME and one.verdict == "equal":
        same = "outcomes" if one.first is None or one.second is None else "answers"
        return f"equal: the same {same} on all of these examples"
    margin = f"{_value(one.margin, one.metric)}{_unit(one.metric)}"
    return _SENTENCES[one.verdict].format(margin=margin)


def _side_text(name: str, cell: CellSummary | None) -> str:
    return name if cell is None else f"{name}: {cell.task} | {cell.backbone or cells.NOTHING} | {cell.strategy}"


def _counts_text(one: Comparison) -> str:
    test = one.test
    return "" if test is None or test.only_first is None else f"{test.only_first} by A, {test.only_second} by B"


def _detectable(one: Comparison, how: str) -> str:
    if one.test is None or one.test.detectable is None:
        return ""
    return f"a difference of {_value(one.test.detectable, one.metric)}{_unit(one.metric)}{how}"


def _interval(one: Comparison) -> str:
    if one.test is None or one.test.low is None or one.test.high is None:
        return ""
    return f" [{_signed(one.test.low, one.metric)}, {_signed(one.test.high, one.metric)}]"


def _p_text(p: float) -> str:
    return f"{p:.3f}" if p >= 0.001 else f"{p:.1e}"


def _unit(metric: Metric) -> str:
    return " points" if metric.in_points else ""


def _value(value: float | None, metric: Metric) -> str:
    return cells.measured(value, {"in_points": metric.in_points})


def _signed(value: float, metric: Metric) -> str:
    digits = 1 if metric.in_points else 3
    return f"{round(value * metric.points, digits) + 0:+.{digits}f}"
