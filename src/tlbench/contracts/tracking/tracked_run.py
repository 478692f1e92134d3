"""A fit or a finished cell as a run of an experiment tracker: plain numbers and texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import fmean

from tlbench.contracts.cell import Cell
from tlbench.contracts.executor import FitOrder
from tlbench.contracts.record import FitResult, Record
from tlbench.contracts.space import Value
from tlbench.contracts.untrusted.visible_text import printable


@dataclass(frozen=True)
class TrackedRun:
    """A fit or a cell, for observers that send it to a tracker."""

    cell: str
    """Id of the cell."""
    title: str
    """The text "backbone | task | strategy"."""
    kind: str
    """"search" for a trial, "final" for a fit of the winner, "cell" for a finished cell."""
    name: str
    """Name of the run: the title, with trial and seed for a fit."""
    status: str
    params: Mapping[str, Value] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Numbers by name: validation score and seconds of a fit; mean test scores, seconds and memory of a cell."""
    curve: tuple[tuple[int, float], ...] = ()
    """Step and validation score, in the order of steps."""

    @classmethod
    def of_fit(cls, order: FitOrder, result: FitResult) -> TrackedRun:
        """Returns what to track of a fit."""
        cell = order.cell
        numbers = {"validation": result.validation, "fit_seconds": result.fit_seconds}
        return cls(
            cell.id,
            printable(cell.title),
            order.purpose,
            printable(f"{cell.title} | {order.purpose} {result.trial}, seed {result.seed}"),
            result.status,
            _shown(result.params),
            {name: value for name, value in numbers.items() if value is not None},
            tuple((point.step, point.score) for point in result.history if point.score is not None),
        )

    @classmethod
    def of_record(cls, cell: Cell, record: Record) -> TrackedRun:
        """Returns what to track of a finished cell; slices of the test split are left out."""
        values: dict[str, list[float]] = {}
        for score in record.scores:
            if score.slice is None:
                values.setdefault(f"test_{score.metric}", []).append(score.value)
        numbers = {
            "validation": record.validation,
            "fit_seconds": record.seconds.fit,
            "search_seconds": record.seconds.search,
            "total_seconds": record.seconds.total,
            "host_own_bytes": record.memory.host_own_bytes,
            "device_allocated_bytes": record.memory.device_allocated_bytes,
            **{name: fmean(of_seeds) for name, of_seeds in values.items()},
        }
        metrics = {name: float(value) for name, value in numbers.items() if value is not None}
        title = printable(cell.title)
        return cls(cell.id, title, "cell", title, record.status, _shown(record.best_params), metrics)


def _shown(params: Mapping[str, Value]) -> dict[str, Value]:
    """Returns params whose names and texts are one line of visible characters, as a page of a tracker shows them."""
    return {printable(name): printable(one) if isinstance(one, str) else one for name, one in params.items()}
