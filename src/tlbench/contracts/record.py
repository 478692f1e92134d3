"""Identity and results: what a cell is, what was asked of one fit, and what was measured.

Everything here is a value on disk: frozen, strict about unknown fields, and JSON both ways.
"""

from __future__ import annotations

import hashlib
import math
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from tlbench.contracts.space import Override, Value

FORMAT = 1
"""The version of the record folder; raised when old records can no longer be read."""

Status = Literal["ok", "diverged", "oom", "timeout", "failed", "crashed"]
"""How a cell ended: `failed` raised, `crashed` lost its process again and again."""
Precision = Literal["auto", "fp32", "bf16-autocast", "bf16-weights"]
Sampler = Literal["tpe", "random", "grid", "gp"]
Pruner = Literal["none", "median", "hyperband"]
PositiveInt = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Seed = Annotated[int, Meta(ge=0, le=2**31 - 1)]


class Protocol(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is held equal between strategies.

    Raises:
        ValueError: No seeds, a seed twice, or both `max_steps` and `epochs`.
    """

    trials: PositiveInt = 1
    """How many settings the study tries in total; one is "not searched"."""
    seeds: Annotated[tuple[Seed, ...], Meta(min_length=1)] = (0,)
    """The winner is fitted once for each; seed s draws training subset s, the same for every strategy."""
    max_steps: PositiveInt | None = None
    """Optimiser steps of a gradient-trained fit."""
    epochs: Annotated[float, Meta(gt=0)] | None = None
    """Passes over the training examples of a gradient-trained fit."""
    train_limit: PositiveInt | None = None
    """How many training examples a fit may see; None for all."""
    max_seconds: Annotated[float, Meta(gt=0)] | None = None
    """Wall-clock time of the whole cell, after which it is stopped and recorded as `timeout`."""
    precision: Precision = "auto"
    refit: bool = False
    """False: the search runs at `seeds[0]` and the winner's own fit counts as that seed's."""
    sampler: Sampler = "tpe"
    pruner: Pruner = "none"

    def __post_init__(self) -> None:
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError("a seed stands twice")
        for name in ("epochs", "max_seconds"):
            if not math.isfinite(getattr(self, name) or 0.0):
                raise ValueError(f"{name} must be finite")
        if self.max_steps is not None and self.epochs is not None:
            raise ValueError("give max_steps or epochs, not both")


class Ref(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A plugin's object: its canonical name with its parameters and pinned revision, and its own version."""

    name: str
    version: int = 1


class Cell(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The unit of caching, identity and dispatch. Nothing measured is in it."""

    task: Ref
    strategy: Ref
    protocol: Protocol
    backbone: Ref | None = None
    """None for a strategy that looks through no backbone."""
    needs: tuple[Ref, ...] = ()
    space: dict[str, Override] = {}
    """The suite's fixed and narrowed hyperparameters."""

    @property
    def id(self) -> str:
        """Sixteen hex digits, equal for equal cells."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()[:16]

    @property
    def search_id(self) -> str:
        """Equal for cells whose searches may go the same way: the budget and the later seeds are left out.

        The study's suggestions are drawn from it, so that the first 16 of 32 trials are those of 16.
        """
        seeds = self.protocol.seeds[:1]
        searched = msgspec.structs.replace(self.protocol, trials=1, seeds=seeds, refit=False, max_seconds=None)
        return msgspec.structs.replace(self, protocol=searched).id

    @property
    def title(self) -> str:
        """Returns "backbone | task | strategy" for people."""
        backbone = self.backbone.name if self.backbone else "-"
        return f"{backbone} | {self.task.name} | {self.strategy.name}"


Purpose = Literal["search", "final"]


class FitOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One fit: a setting of the hyperparameters at a seed, for the search or for the test."""

    cell: Cell
    params: dict[str, Value]
    seed: int
    purpose: Purpose
    trial: int = 0
    """The study's number of this trial; of the winner for a final fit."""


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
    predictions: str | None = None
    """The file with the test predictions, within the cell's work folder."""


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


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What became of one cell. Immutable once stored."""

    cell: Cell
    status: Status
    format: int = FORMAT
    attempt: int = 1
    """Raised by `--fresh`: the newest attempt of a cell is the one that counts."""
    reason: str = ""
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
    """Split to how many test examples show exactly what one of its examples shows: train, and validation beyond it."""
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
    """How many processes opened the test split, each at most once and none before the winner was frozen."""
    provenance: Provenance = Provenance()
