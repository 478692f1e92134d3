"""How long fits take: measured in this run, and kept in the cache folder for the first estimate of later runs."""

from __future__ import annotations

import hashlib
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from tlbench.contracts.cell import Cell
from tlbench.system.integrity.sealed_files import read_sealed, write_sealed

FORMAT = 1
MAX_KEPT = 1000
"""Number of kinds of fits that are kept; those that were measured longest ago are forgotten first."""
_MAX_BYTES = 2**20


class FitKind(NamedTuple):
    """The properties of a fit that determine how long it takes."""

    strategy: str
    backbone: str
    """Empty for a strategy without one."""
    task: str
    budget: str
    """Steps or epochs, training examples and precision, and the device and threads of the worker."""
    purpose: str
    """`search`, `final` or `score`, as in `FitOrder.purpose`."""

    def levels(self) -> Iterator[tuple[str, ...]]:
        """Yields keys from the most specific to the least: this kind, then on any task, then with any budget too."""
        strategy, backbone, task, budget, purpose = self
        yield strategy, backbone, task, budget, purpose
        yield strategy, backbone, budget, purpose
        yield strategy, backbone, purpose


def fit_kind(cell: Cell, purpose: str, place: str) -> FitKind:
    """Returns the kind of a cell's fits for a purpose.

    Args:
        cell: The cell.
        purpose: `search`, `final` or `score`.
        place: Device and threads of the workers, such as `cpu:1`.
    """
    protocol = cell.protocol
    budget = f"{place} {protocol.max_steps} {protocol.epochs} {protocol.train_limit} {protocol.precision}"
    budget += f" {protocol.amount.text}" if protocol.amount.text else ""
    # A digest, because a task may be named by the user's own file, whose name may be long and private.
    task = hashlib.sha256(cell.task.name.encode()).hexdigest()[:12]
    return FitKind(cell.strategy.name, cell.backbone.name if cell.backbone else "", task, budget, purpose)


class Expected(NamedTuple):
    """The expected time of one fit."""

    seconds: float
    is_measured: bool
    """Whether fits of the same strategy, backbone and budget were measured in this run."""


class _Kept(msgspec.Struct, forbid_unknown_fields=True):
    format: int
    fits: list[tuple[FitKind, float]]


class FitTimes:
    """Mean times of fits by kind. Its methods may be called from several threads."""

    def __init__(self, file: Path | None = None) -> None:
        """Reads the times that earlier runs kept.

        Args:
            file: The file of times; a damaged or missing one counts as empty. If None, `save` does nothing.
        """
        self._file = file
        self._lock = threading.Lock()
        self._measured: dict[tuple[str, ...], tuple[float, int]] = defaultdict(lambda: (0.0, 0))
        self._earlier: dict[tuple[str, ...], tuple[float, int]] = defaultdict(lambda: (0.0, 0))
        self._new: dict[FitKind, tuple[float, int]] = {}
        for kind, seconds in _read(file):
            _add(self._earlier, kind, seconds, 1)

    def add(self, kind: FitKind, seconds: float, fits: int) -> None:
        """Adds the time of a number of fits, which took `seconds` in total."""
        with self._lock:
            _add(self._measured, kind, seconds, fits)
            total, count = self._new.get(kind, (0.0, 0))
            self._new[kind] = total + seconds, count + fits

    def expected(self, kind: FitKind) -> Expected | None:
        """Returns the expected time of a fit: the mean time of the most similar fits; None if there are none.

        The levels of similarity are those of `FitKind.levels`. At each level, the times of this run come before those
        of earlier runs.
        """
        with self._lock:
            for number, level in enumerate(kind.levels()):
                for means, is_measured in ((self._measured, number < 2), (self._earlier, False)):
                    if level in means:
                        total, count = means[level]
                        return Expected(total / count, is_measured)
        return None

    def save(self) -> None:
        """Writes the mean times of this run to the file, beside those of earlier runs; ignores errors of writing."""
        if self._file is None:
            return
        with self._lock:
            new = {kind: total / count for kind, (total, count) in self._new.items()}
        if not new:
            return
        # Read again, since another run may have ended in the meantime.
        kept = [(kind, seconds) for kind, seconds in _read(self._file) if kind not in new]
        content = _Kept(FORMAT, [*kept, *new.items()][-MAX_KEPT:])
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_sealed(self._file, content)


def _read(file: Path | None) -> list[tuple[FitKind, float]]:
    with suppress(OSError):
        if file is not None and file.is_file() and file.stat().st_size <= _MAX_BYTES:
            kept = read_sealed(file, _Kept)
            if kept is not None and kept.format == FORMAT:
                return [(kind, seconds) for kind, seconds in kept.fits if seconds >= 0]
    return []


def _add(means: dict[tuple[str, ...], tuple[float, int]], kind: FitKind, seconds: float, fits: int) -> None:
    for level in kind.levels():
        total, count = means[level]
        means[level] = total + seconds, count + fits
