"""The job and the report of a peer, as JSON; needs the standard library alone."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

Range = dict[str, Any]
"""low, high, log."""


@dataclass(frozen=True)
class Job:
    """The job of a peer."""

    corpus: str
    data_root: str
    train: int
    held_out: int
    classes: int
    folder: str
    """Of the model: config.json, safetensors weights, tokenizer."""
    strategies: tuple[str, ...]
    trials: int
    seeds: tuple[int, ...]
    epochs: int
    batch_size: int
    precision: str
    """Resolved: fp32 or bf16-autocast."""
    device: str
    tuned: bool
    spaces: dict[str, dict[str, Range]]
    """Strategy to hyperparameter to range, as tlbench's strategies declare them."""
    defaults: dict[str, dict[str, float]]
    """The setting that the first trial tries."""
    max_length: int = 128
    weight_decay: float = 0.01
    warmup: float = 0.1


@dataclass
class CellReport:
    """The results of one strategy."""

    strategy: str
    validation: float
    """Of the best trial."""
    trials: int
    """Number of trials with a score."""
    steps: int
    """Optimiser steps of one fit; 0 where there are none."""
    predictions: dict[str, str]
    """Seed to the predicted class of every test row, one digit each."""
    params: dict[str, float] = field(default_factory=dict)


@dataclass
class Report:
    """The report of a peer."""

    ids: list[str] = field(default_factory=list)
    """Of the test rows, in order."""
    cells: list[CellReport] = field(default_factory=list)
    work_seconds: float = 0.0
    """From the end of the imports to the last prediction."""
    load_seconds: float = 0.0
    """The part of it that went into reading and tokenising data and loading weights."""
    train_seconds: float | None = None
    """Of a peer that times its training alone."""
    tokens: int = 0
    """Tokens of the training rows, once."""


def run(work: Callable[[Job, Report], None]) -> None:
    """Reads the job named by the first argument, does the work, writes the report that the second one names.

    Call it once everything is imported: it starts the clock.
    """
    began = time.monotonic()
    raw = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    job = Job(**{**raw, "strategies": tuple(raw["strategies"]), "seeds": tuple(raw["seeds"])})
    report = Report()
    work(job, report)
    report.work_seconds = time.monotonic() - began
    Path(sys.argv[2]).write_text(json.dumps(asdict(report)), encoding="utf-8")
