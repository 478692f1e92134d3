"""The costs of a result: times, memory and parameters of a row or record, limits of them, and their text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tlbench.results.records.summaries import CellSummary
from tlbench.results.render import value_texts as cells
from tlbench.results.render.memory_texts import memory

COSTS = (
    "total_seconds", "search_seconds", "fit_seconds", "encode_seconds", "predict_seconds", "host_own_bytes",
    "host_peak_bytes", "device_allocated_bytes", "parameters", "trainable_parameters",
)  # fmt: skip
"""The columns of a leaderboard that say what a result cost."""


def costs_of(cell: Mapping[str, Any] | CellSummary) -> dict[str, Any]:
    """Returns the costs of a row of a leaderboard, or of a record's summary, by column."""
    if isinstance(cell, CellSummary):
        return {name: getattr(cell, name) for name in COSTS}
    return {name: cell[name] for name in COSTS}


def memory_of(costs: Mapping[str, Any]) -> int | None:
    """Returns the peak of memory in bytes: the GPU's for a fit on a GPU, else the main memory of the cell's fits.

    An older record has only that of the whole worker, which is an upper bound. None if nothing was measured.
    """
    measured = (costs["device_allocated_bytes"], costs["host_own_bytes"], costs["host_peak_bytes"])
    return next((value for value in measured if value is not None), None)


def cost_text(costs: Mapping[str, Any]) -> str:
    """Returns the costs in a line, such as "2m50 in all, 26s a fit, 480 MB, 770 tuned parameters"."""
    on_device = costs["device_allocated_bytes"] is not None
    parts = (
        (cells.seconds(costs["total_seconds"]), "in all"),
        (cells.seconds(costs["fit_seconds"]), "a fit"),
        (cells.seconds(costs["predict_seconds"]), "to predict"),
        (cells.size(costs["device_allocated_bytes"]) if on_device else memory(dict(costs)), ""),
        (cells.count(costs["trainable_parameters"]), f"of {cells.count(costs['parameters'])} parameters tuned"),
    )
    return ", ".join(f"{text} {what}".strip() for text, what in parts if text != cells.NOTHING)


@dataclass(frozen=True)
class CostLimits:
    """The most that a result may cost; None for no limit."""

    memory_bytes: int | None = None
    seconds: float | None = None
    """Of all work on the cell: its search, its fits and its predictions."""
    parameters: int | None = None
    """Of backbone and head together, trained or not."""

    def admits(self, costs: Mapping[str, Any]) -> bool:
        """Returns whether costs are within all limits; an unknown cost is within none."""
        pairs = (
            (self.memory_bytes, memory_of(costs)),
            (self.seconds, costs["total_seconds"]),
            (self.parameters, costs["parameters"]),
        )
        return all(limit is None or (cost is not None and cost <= limit) for limit, cost in pairs)

    def text(self) -> str:
        """Returns the limits in words, such as "at most 2.0 GB and 10m00"; empty without a limit."""
        parts = (
            "" if self.memory_bytes is None else cells.size(self.memory_bytes),
            "" if self.seconds is None else cells.seconds(self.seconds),
            "" if self.parameters is None else f"{cells.count(self.parameters)} parameters",
        )
        given = [part for part in parts if part]
        return f"at most {' and '.join(given)}" if given else ""
