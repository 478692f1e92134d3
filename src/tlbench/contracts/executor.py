"""The executor contract: where and how cells are run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import msgspec

from tlbench.contracts.cell import Cell
from tlbench.contracts.record import Record


class CellOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that a worker is told: plain JSON, so that it can travel to another process or machine."""

    cell: Cell
    work: str
    """The cell's own folder: study, finished fits, predictions."""
    attempt: int = 1
    device: str = "auto"
    """`auto`, `cpu`, `cuda` or `cuda:<n>`."""
    threads: int = 1
    """Threads of a worker on the CPU; constant for a run, since results differ between thread counts."""
    sources: tuple[str, ...] = ()
    """Work folders and files of records, there or to come, of cells with the same fits, which may be taken over."""


Deliver = Callable[[Record, Path], None]
"""Takes a finished record and the folder that holds its predictions."""


@runtime_checkable
class Executor(Protocol):
    """Runs cells and delivers their records, each once, as they finish.

    One that is a dataclass with a field `jobs` is given the number of its workers, which share the cores; any other
    runs one cell at a time, on all of them.
    """

    @property
    def name(self) -> str:
        """The name on the command line."""

    def run(self, orders: Sequence[CellOrder], deliver: Deliver) -> None:
        """Runs every order; a cell that fails is delivered as a record that says so."""
