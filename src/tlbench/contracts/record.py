"""Results: what one fit was asked for and gave, and what was measured of a cell.

Everything here is a value on disk: frozen, strict about unknown fields, and JSON both ways.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from tlbench.contracts.cell import Cell
from tlbench.contracts.space import Value

FORMAT = 1
"""The version of the record folder; raised when old records can no longer be read."""

Status = Literal["ok", "diverged", "oom", "timeout", "failed", "crashed"]
"""How a cell ended: `failed` raised, `crashed` lost its process again and again."""

Purpose = Literal["search", "final"]


class Point(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was known of a fit at one of its steps."""

    step: int
    score: float | None = None
    """The primary metric on the validation split."""
    loss: float | None = None
    """The training loss."""


class FitResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one fit gave."""

    params: dict[str, Value]
    seed: int
    purpose: Purpose
    trial: int
    status: Literal["ok", "pruned", "diverged", "oom", "failed"]
    reason: str = ""
    """One line; empty where the status is `ok`."""
    traceback: str = ""
    validation: float | None = None
    """The primary metric on the validation split."""
    fit_seconds: float = 0.0
    """Training alone: without encoding, set-up and scoring. Trials fused in one pass share it equally."""
    validate_seconds: float = 0.0
    setup_seconds: float = 0.0
    """What making all that this fit took from `once` took, whichever fit it was made in."""
    setup_paid_seconds: float = 0.0
    """What this fit itself took to make it."""
    encode_seconds: float = 0.0
    """What the activations this fit read would have cost on their own, whoever computed them."""
    encode_paid_seconds: float = 0.0
    """What this fit paid for encoding."""
    predict_seconds: float = 0.0
    """Predicting the test split; 0 for a fit of the search."""
    examples_seen: int = 0
    parameters: int = 0
    trainable_parameters: int = 0
    notes: dict[str, float] = {}
    history: tuple[Point, ...] = ()
    """How it went, in order of steps, as far as the strategy reports."""
    predictions: str | None = None
    """The file with the test predictions, within the cell's work folder."""
    taken_over: bool = False
    """Whether it was made for another cell, which asks for the same fit, and not again for this one."""


PAID = ("fit_seconds", "setup_paid_seconds", "encode_paid_seconds", "validate_seconds")
"""Fields of a fit's result that add up to what it took."""


class TestScore(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One metric of one seed on the test split, or on one slice of it."""

    __test__ = False  # pytest must not collect it

    metric: str
    seed: int
    value: float
    low: float
    """Lower end of the 95% bootstrap interval over examples."""
    high: float
    n: int
    """How many examples."""
    slice: str | None = None
    """"column=value", or None for the whole split."""


class ClassScore(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How well one class, label or type of entity is found on the test split, counted over all seeds."""

    name: str
    precision: float
    recall: float
    f1: float
    support: int
    """How many test examples (of words: entities or words) are of it."""


class ClassReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is told apart and what is confused; empty where a task does not classify."""

    classes: tuple[ClassScore, ...] = ()
    names: tuple[str, ...] = ()
    """Of the rows and columns of the confusion matrix; empty for labels, of which an example may have several."""
    confusion: tuple[tuple[int, int, int], ...] = ()
    """The entries that are not 0, summed over seeds: index of what is true, of what is said, and how often."""


class Memory(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Bytes; None where it could not be measured."""

    host_baseline_bytes: int | None = None
    """Resident memory of the worker when the cell began."""
    host_peak_bytes: int | None = None
    """High-water mark of resident memory during the cell (reset when it began, where the kernel allows)."""
    device_allocated_bytes: int | None = None
    device_reserved_bytes: int | None = None


class Seconds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the wall-clock time of a cell went."""

    setup: float = 0.0
    """Standalone cost of what the final fits took from `once`, per seed."""
    encode: float = 0.0
    """Standalone cost of all encoding that the final fits read, per seed; rankings use this."""
    encode_paid: float = 0.0
    """What the cell really paid for encoding, the test split's included."""
    fit: float = 0.0
    """One final fit, averaged over seeds."""
    search: float = 0.0
    """All fits of the search, scoring included."""
    predict: float = 0.0
    """Predicting the test split once, averaged over seeds."""
    total: float = 0.0
    """The cell from start to record, over all processes that worked on it one after the other."""


class Provenance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a result was made with; what differs between rows of a table is marked there."""

    distributions: dict[str, str] = {}
    """Distribution to version: tlbench, the plugins that took part, torch and the libraries they load."""
    python: str = ""
    platform: str = ""
    device: str = ""
    precision: str = ""
    """Resolved."""
    threads: int = 0
    data: dict[str, str] = {}
    """Split to fingerprint."""
    started: str = ""
    """UTC, ISO 8601."""

    def aspects(self) -> dict[str, str]:
        """Returns what results may depend on, by name, as far as it is known: device, versions, data, ..."""
        found = {
            "device": self.device,
            "precision": self.precision,
            "threads": str(self.threads) if self.threads else "",
            **self.distributions,
            **{f"{split} data": digest for split, digest in self.data.items()},
        }
        return {aspect: value for aspect, value in found.items() if value}

    def differing(self, other: Provenance) -> dict[str, str]:
        """Returns the aspects of the other that are known here too, and differ."""
        mine = self.aspects()
        return {aspect: value for aspect, value in other.aspects().items() if mine.get(aspect, value) != value}


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What became of one cell. Immutable once stored."""

    cell: Cell
    status: Status
    format: int = FORMAT
    attempt: int = 1
    """Raised by `--fresh`: the newest attempt of a cell is the one that counts."""
    reason: str = ""
    """One line: what ended the cell without scores; where the status is `ok`, which scores are left out and why."""
    traceback: str = ""
    metrics: tuple[str, ...] = ()
    """The task's metrics; the first is primary."""
    positive: int = 1
    """The task's positive class, for binary F1: a leaderboard scores resamples without the task's plugin."""
    best_params: dict[str, Value] = {}
    trials: tuple[FitResult, ...] = ()
    """Every fit of the search."""
    fits: tuple[FitResult, ...] = ()
    """The winner, once per seed."""
    validation: float | None = None
    """The winner's validation score at `seeds[0]`."""
    scores: tuple[TestScore, ...] = ()
    report: ClassReport = ClassReport()
    overlap: dict[str, int] = {}
    """Split to how many test examples show exactly what one of its examples shows: train, validation beyond it, and
    "task:x", the training examples of another task that the strategy reads."""
    predictions: str | None = None
    """The Parquet file beside the records: seed, id, target, value, scores, and a column for each slice."""
    seconds: Seconds = Seconds()
    memory: Memory = Memory()
    energy_joules: float | None = None
    parameters: int = 0
    trainable_parameters: int = 0
    examples_seen: int = 0
    """Training examples served to the final fits, averaged over seeds."""
    test_reads: int = 0
    """How many orders that open the test split were given (final fits, scoring), none before the winner was frozen."""
    provenance: Provenance = Provenance()
    also_made_with: tuple[Provenance, ...] = ()
    """What some of the fits were made with, where that is something else: those that were taken over from another cell,
    or finished before an interruption."""
