"""Writes the simulated rates as one Markdown page."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from scipy.stats import binomtest

from benchmarks.ranks.pieces import all_pieces
from benchmarks.ranks.tables import Setting

_RATE, _TOLERANCE = 0.05, 0.015
_COVERAGE = 0.94
_OWN = "tlbench"

Counts: TypeAlias = Mapping[str, Any]
Results: TypeAlias = Mapping[str, Counts]


def page(results: Results) -> str:
    """Returns the page for the results by name of the setting."""
    settings = {one.name: one for piece in all_pieces() for one in piece.settings()}
    known = {name: settings[name] for name in results if name in settings}
    equal = [one for one in known.values() if not one.planted]
    planted = [one for one in known.values() if one.planted]
    grid = [one for one in equal if not _is_extra(one)]
    parts = [
        "# Ranks and intervals, simulated",
        f"    python -m benchmarks.ranks\n\n{len(known)} of {len(settings)} settings.",
        _ABOUT,
        _summary(results, equal, planted),
        "## Equal strategies: tables in which any two differ, in percent (5 is right)",
        _pivot(grid, lambda one: _percent(_rate(results[one.name], _OWN, "any"))),
        "## One strategy 2 points better: tables in which it differs from the second, in percent",
        "In brackets the strongest of the other tests that keep 5% in the setting, where it finds more.",
        _pivot([one for one in planted if not _is_extra(one)], lambda one: _power(results, one)),
        "## Intervals that hold the true score, in percent (95 is right)",
        _pivot([one for one in grid if one.strategies == 2], lambda one: _percent(_covered(results[one.name]))),
        "## Strategies that vary differently, and nearly perfect ones",
        "steady half, steady all but one: vary 20 times less between seeds than others; 97: an accuracy of 97%.",
        _extras(results, [one for one in equal if _is_extra(one)]),
    ]
    return "\n\n".join(parts) + "\n"


_ABOUT = (
    "K strategies, n test examples, S seeds; sd: the standard deviation of a strategy's true score over seeds, in "
    "points. Settings that differ in S alone, or in K, share their draws. The other tests: a t test paired over seeds, "
    "the largest difference of all pairs in a bootstrap of examples and seeds, and the t test of two rows with Holm's "
    "correction."
)


def _summary(results: Results, equal: Sequence[Setting], planted: Sequence[Setting]) -> str:
    if not equal:
        return "Nothing is simulated yet."
    lines = []
    for which, some in (("equal spreads", False), ("unequal spreads or nearly perfect", True)):
        rates = {one: _rate(results[one.name], _OWN, "any") for one in equal if _is_extra(one) == some}
        if rates:
            of_two = [rate for one, rate in rates.items() if one.strategies == 2]
            lines.append(
                f"- {len(rates)} settings of equal strategies ({which}): error rates {_percent(min(rates.values()))} "
                f"to {_percent(max(rates.values()))}, mean {_percent(statistics.fmean(rates.values()))}"
                + (f"; of two strategies, mean {_percent(statistics.fmean(of_two))}." if of_two else ".")
            )
    above = [one.name for one in equal if _low(results[one.name], _OWN) > _RATE + _TOLERANCE]
    covered = [_covered(results[one.name]) for one in equal]
    below = [
        one.name for one in equal if _bounds(results[one.name]["covered"], results[one.name]["draws"])[1] < _COVERAGE
    ]
    lines += [
        f"- Settings whose exact 99.9% interval lies wholly above 6.5%: {len(above)}{_listed(above)}.",
        f"- Intervals hold the true score in {_percent(min(covered))} to {_percent(max(covered))}, mean "
        f"{_percent(statistics.fmean(covered))}; settings whose 99.9% interval lies wholly below 94%: {len(below)}"
        f"{_listed(below)}.",
    ]
    gaps = {one: gap for one in planted if not _is_extra(one) and (gap := _gap(results, one)) is not None}
    if gaps:
        worst = sorted(gaps, key=lambda one: -gaps[one])[:5]
        lines.append(
            "- Power behind the strongest test that keeps 5% in the setting: in the mean "
            f"{statistics.fmean(gaps.values()):.1f} points; over 2 points in "
            f"{sum(gap > 2 for gap in gaps.values())} of {len(gaps)} settings. The largest: "
            + "; ".join(f"{one.name} {gaps[one]:.1f}" for one in worst)
            + "."
        )
    return "\n".join(lines)


def _is_extra(one: Setting) -> bool:
    return one.steady != "none" or one.base != Setting.base


def _rivals(results: Results, one: Setting) -> dict[str, float]:
    """Returns the power of the other tests whose rate among equal strategies may be 5%, by name."""
    equal = results.get(_without(one))
    if equal is None:
        return {}
    counts = results[one.name]
    return {
        name: _rate(counts, name, "first") for name in counts["tests"] if name != _OWN and _low(equal, name) <= _RATE
    }


def _without(one: Setting) -> str:
    return one.name.rpartition("-")[0] + "-d0"


def _gap(results: Results, one: Setting) -> float | None:
    """Returns by how many points the strongest other test finds the difference more often; negative if less often."""
    rivals = _rivals(results, one)
    return 100 * (max(rivals.values()) - _rate(results[one.name], _OWN, "first")) if rivals else None


def _power(results: Results, one: Setting) -> str:
    own, rivals = _percent(_rate(results[one.name], _OWN, "first")), _rivals(results, one)
    gap = _gap(results, one)
    return f"{own} ({_percent(max(rivals.values()))})" if gap is not None and gap > 0 else own


def _pivot(settings: Iterable[Setting], text: Callable[[Setting], str]) -> str:
    """Returns a table with a row for each metric and numbers of strategies and seeds."""
    cells = {((one.metric, one.strategies, one.seeds), (one.examples, one.spread)): text(one) for one in settings}
    rows, columns = sorted({row for row, _ in cells}), sorted({column for _, column in cells})
    head = ["metric", "K", "S", *(f"n={n:,} sd={spread:g}" for n, spread in columns)]
    lines = [[*map(str, row), *(cells.get((row, column), "") for column in columns)] for row in rows]
    return _table([head, *lines])


def _extras(results: Results, settings: Sequence[Setting]) -> str:
    names = list(next(iter(results.values()))["tests"]) if settings else []
    rows = [["setting", *(f"differ: {name}" for name in names), f"power: {_OWN}", "intervals cover"]]
    for one in sorted(settings, key=lambda each: each.name):
        planted = results.get(one.name.removesuffix("-d0") + "-d2")
        rows.append(
            [
                one.name.removesuffix("-d0"),
                *(_percent(_rate(results[one.name], name, "any")) for name in names),
                _percent(_rate(planted, _OWN, "first")) if planted else "",
                _percent(_covered(results[one.name])),
            ]
        )
    return _table(rows)


def _table(rows: Sequence[Sequence[str]]) -> str:
    lines = [rows[0], ["---", *["---:"] * (len(rows[0]) - 1)], *rows[1:]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _rate(counts: Counts, test: str, which: str) -> float:
    return float(counts["tests"][test][which] / counts["draws"])


def _covered(counts: Counts) -> float:
    return float(counts["covered"] / counts["draws"])


def _low(counts: Counts, test: str) -> float:
    return _bounds(counts["tests"][test]["any"], counts["draws"])[0]


def _bounds(count: int, draws: int) -> tuple[float, float]:
    """Returns the exact 99.9% interval of a share."""
    found = binomtest(count, draws).proportion_ci(0.999, "exact")
    return float(found.low), float(found.high)


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _listed(names: list[str]) -> str:
    return f" ({', '.join(sorted(names))})" if names else ""
