"""The margin within which two rows count as practically equal: in points, or for one metric in its own unit."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from tlbench.catalog.names import nearest
from tlbench.contracts.errors import UsageError
from tlbench.contracts.metric import Metric


@dataclass(frozen=True)
class Margins:
    """The margin of each metric."""

    points: float = 1.0
    """The margin, in points (hundredths), for all metrics that tables show in points."""
    of_metric: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """Margins of single metrics by name, as tables show them: in points, or in the metric's own unit."""

    def by_metric(self, metrics: Mapping[str, Metric]) -> dict[str, float]:
        """Returns the margin of each metric that has one, in units of the metric."""
        margins = {name: self.points / metric.points for name, metric in metrics.items() if metric.in_points}
        return margins | {name: margin / metrics[name].points for name, margin in self.of_metric.items()}


def read_margins(texts: Iterable[str], metrics: Mapping[str, Metric], ranked_by: Set[str]) -> Margins:
    """Returns the margins given by the values of an option, such as "2" (points) and "rmse=0.05".

    Args:
        texts: The values.
        metrics: Metrics by name.
        ranked_by: The metrics by which the tasks of the table are ranked.

    Raises:
        UsageError: A value is not a positive number, a metric is unknown or ranks no task, or a margin is given twice.
    """
    given: dict[str, float] = {}
    for text in texts:
        name, separator, number = text.rpartition("=")
        name = name.strip()
        if separator and name not in metrics:
            raise UsageError(f"--margin {text}: no metric {name!r}{nearest(name, metrics)}")
        if separator and name not in ranked_by:
            ranking = ", ".join(sorted(ranked_by)) or "no metric"
            raise UsageError(f"--margin {text}: no task of this table is ranked by {name}, only by {ranking}")
        if name in given:
            raise UsageError(
                f"--margin {text}: there is another margin {'of ' + name if name else 'in points'}: keep one"
            )
        try:
            given[name] = float(number)
        except ValueError:
            given[name] = math.nan
        if not 0 < given[name] < math.inf:
            raise UsageError(f"--margin {text}: expected a number above 0, in points (2), or METRIC=NUMBER (rmse=0.05)")
    return Margins(given.pop("", Margins.points), MappingProxyType(given))


def equality_columns(
    names: Sequence[str],
    from_best: Sequence[tuple[float, float, float] | None],
    detectable: Sequence[float | None],
    margins: Mapping[str, float],
) -> dict[str, list[Any]]:
    """Returns the columns `p_equal`, `p_best`, `margin` and `detectable` of a table, as lists.

    Args:
        names: The metric of each row.
        from_best: The posterior of each row's difference from the best row, as `Posterior`; None without one.
        detectable: The smallest difference that the tests of each row find; None without tests.
        margins: The margins by metric, in units of the metric.
    """
    # A row that was tested has a margin, even if it has no smallest difference, as with equal predictions.
    margin = [
        margins.get(name) if one is not None or smallest is not None else None
        for name, one, smallest in zip(names, from_best, detectable, strict=True)
    ]
    p_equal: list[float | None] = [None] * len(names)
    p_best: list[float | None] = [None] * len(names)
    tested = {i: one for i, one in enumerate(from_best) if one is not None}
    chosen = {
        i: (one, within)
        for i, (one, within) in enumerate(zip(from_best, margin, strict=True))
        if one is not None and within is not None
    }
    if tested:
        # Imported only if needed: a table of one seed needs no scipy.
        from tlbench.results.significance.practical import Posterior, differs_alone, practically_equal

        alone = differs_alone([Posterior(*one) for one in tested.values()])
        for i, p in zip(tested, alone.tolist(), strict=True):
            p_best[i] = p
        found = practically_equal([Posterior(*one) for one, _ in chosen.values()], [m for _, m in chosen.values()])
        for i, p in zip(chosen, found.tolist(), strict=True):
            p_equal[i] = p
    return {"p_equal": p_equal, "p_best": p_best, "margin": margin, "detectable": list(detectable)}
