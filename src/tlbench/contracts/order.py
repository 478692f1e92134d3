"""What a worker is told and what it answers: plain values, JSON both ways."""

from __future__ import annotations

from typing import Literal

import msgspec

from tlbench.contracts.cell import Cell
from tlbench.contracts.record import ClassReport, FitResult, Memory, Provenance, TestScore
from tlbench.contracts.space import Value

Purpose = Literal["search", "final", "score"]


class Fit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One setting of the hyperparameters at a seed."""

    trial: int
    """The study's number; for a final fit that of the winner."""
    seed: int
    params: dict[str, Value]


class FitOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that a worker is told: plain JSON, so that it can travel to another process or machine."""

    cell: Cell
    purpose: Purpose
    """A `search` sees train and validation. A `final` also answers the test split. A `score` has no fits: it scores the
    answers of the final fits, which lie in the folder."""
    fits: tuple[Fit, ...] = ()
    """Several are fitted in one pass."""
    folder: str = ""
    """Where the test predictions go."""
    attempt: int = 1
    """How often the order was given, this time included."""
    device: str = "cpu"
    """Resolved: `cpu`, `cuda` or `cuda:<n>`; a worker that does not have it refuses."""
    precision: str = "fp32"
    """Resolved: `fp32`, `bf16-autocast` or `bf16-weights`."""
    threads: int = 1
    environment: dict[str, str] = {}
    """Environment variables of tlbench: where data and caches are, which plugin modules to load."""
    imports: tuple[str, ...] = ()
    """Modules that the backbone takes long to import: an executor may start its worker from a process that has them."""
    keep_above: float | None = None
    """The best validation score so far: a predictor that does better is kept for the final fit; None keeps any."""
    stop_below: dict[int, float] = {}
    """Step to the validation score that a fit must reach at it, or else it is pruned."""
    worker: str = ""
    """The worker that still has the predictor that is asked for, if it lives."""
    seconds: float | None = None
    """After so many the order is stopped; None for no limit."""


class OrderResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that a worker answers to an order."""

    results: tuple[FitResult, ...] = ()
    """One for each fit, in the same order."""
    worker: str = ""
    keeps: bool = False
    """Whether the worker still has the predictor of the order's only fit."""
    memory: Memory = Memory()
    energy_joules: float | None = None
    made_with: Provenance = Provenance()
    scores: tuple[TestScore, ...] = ()
    """Of a `score` order, as the fields below."""
    report: ClassReport = ClassReport()
    overlap: dict[str, int] = {}
    predictions: str = ""
    """The file within the folder that holds the predictions of all seeds."""
    misfits: tuple[int, ...] = ()
    """Seeds whose stored predictions are of another test split, so that they must be fitted again."""
    error: str = ""
    """One line where nothing could be done at all, such as a task that cannot be loaded."""
    traceback: str = ""
    ends_run: bool = False
    """Whether the error is no cell's fault: a full disk, a device that is not there."""
