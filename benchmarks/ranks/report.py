"""Writes the simulated rates as one Markdown page."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any

from scipy.stats import binomtest

_RATE, _TOLERANCE = 0.05, 0.015
_COVERAGE = 0.94


def page(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns the page for the results by name of the setting."""
    equal = {name: one for name, one in results.items() if name.endswith("-d0")}
    planted = {name: one for name, one in results.items() if not name.endswith("-d0")}
    parts = ["# Ranks and intervals, simulated", "    python -m benchmarks.ranks", _summary(equal, planted)]
    parts += ["## Equal strategies: tables in which any two differ, in percent (5 is right)", _errors(equal)]
    parts += [
        "## One strategy 2 points better: tables in which it differs from the second, in percent",
        _power(planted),
    ]
    parts += ["## Intervals that hold the true score, in percent (95 is right)", _coverage(equal)]
    return "\n\n".join(parts) + "\n"


def _summary(equal: Mapping[str, Mapping[str, Any]], planted: Mapping[str, Mapping[str, Any]]) -> str:
    rates = {name: one["tests"]["tlbench"]["any"] / one["draws"] for name, one in equal.items()}
    of_two = [rate for name, rate in rates.items() if "-K2-" in name]
    above = [name for name, one in equal.items() if _low(one["tests"]["tlbench"]["any"], one["draws"]) > _limit()]
    covered = [one["covered"] / one["draws"] for one in equal.values()]
    below = [name for name, one in equal.items() if _high(one["covered"], one["draws"]) < _COVERAGE]
    behind = {name: gap for name, one in planted.items() if (gap := _gap(one, equal.get(_without(name)))) is not None}
    worst = sorted(behind, key=lambda name: -behind[name])[:5]
    lines = [
        f"- {len(equal)} settings of equal strategies: error rates {_percent(min(rates.values()))} to "
        f"{_percent(max(rates.values()))}, mean {_percent(statistics.fmean(rates.values()))}; of two strategies, mean "
        f"{_percent(statistics.fmean(of_two)) if of_two else '-'}.",
        f"- Settings whose exact 99.9% interval lies above 6.5%: {len(above)}{_listed(above)}.",
        f"- Intervals hold the true score in {_percent(min(covered))} to {_percent(max(covered))}, mean "
        f"{_percent(statistics.fmean(covered))}; settings whose 99.9% interval lies below 94%: {len(below)}"
        f"{_listed(below)}.",
    ]
    if behind:
        gaps = list(behind.values())
        lines.append(
            f"- Power behind the strongest test that keeps its rate in the setting (at most 6.5%): at most "
            f"{max(gaps):.1f} points, in the mean {statistics.fmean(gaps):.1f}; over 2 points in "
            f"{sum(gap > 2 for gap in gaps)} of {len(gaps)}. The largest: "
            + "; ".join(f"{name} {behind[name]:.1f}" for name in worst)
            + "."
        )
    return "\n".join(lines)


def _gap(planted: Mapping[str, Any], equal: Mapping[str, Any] | None) -> float | None:
    """Returns by how many points the best rival that keeps its error rate finds the difference more often."""
    if equal is None:
        return None
    rivals = [
        counts["first"] / planted["draws"]
        for name, counts in planted["tests"].items()
        if name != "tlbench" and _low(equal["tests"][name]["any"], equal["draws"]) <= _RATE
    ]
    own = planted["tests"]["tlbench"]["first"] / planted["draws"]
    return 100 * (max(rivals) - own) if rivals else None


def _without(name: str) -> str:
    return name.rpartition("-")[0] + "-d0"


def _errors(equal: Mapping[str, Mapping[str, Any]]) -> str:
    tests = list(next(iter(equal.values()))["tests"]) if equal else []
    rows = [["setting", "draws", *tests]]
    for name, one in sorted(equal.items()):
        rows.append(
            [name, f"{one['draws']:,}", *(_percent(one["tests"][test]["any"] / one["draws"]) for test in tests)]
        )
    return _table(rows)


def _power(planted: Mapping[str, Mapping[str, Any]]) -> str:
    tests = list(next(iter(planted.values()))["tests"]) if planted else []
    rows = [["setting", "draws", *tests]]
    for name, one in sorted(planted.items()):
        rates = (_percent(one["tests"][test]["first"] / one["draws"]) for test in tests)
        rows.append([name, f"{one['draws']:,}", *rates])
    return _table(rows)


def _coverage(equal: Mapping[str, Mapping[str, Any]]) -> str:
    rows = [["setting", "draws", "covered", "mean width, points"]]
    for name, one in sorted(equal.items()):
        rows.append([name, f"{one['draws']:,}", _percent(one["covered"] / one["draws"]), f"{100 * one['width']:.1f}"])
    return _table(rows)


def _table(rows: list[list[str]]) -> str:
    lines = [rows[0], ["---"] + ["---:"] * (len(rows[0]) - 1), *rows[1:]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _low(count: int, draws: int) -> float:
    return float(binomtest(count, draws).proportion_ci(0.999, "exact").low)


def _high(count: int, draws: int) -> float:
    return float(binomtest(count, draws).proportion_ci(0.999, "exact").high)


def _limit() -> float:
    return _RATE + _TOLERANCE


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _listed(names: list[str]) -> str:
    return f" ({', '.join(sorted(names))})" if names else ""
