"""Attempts at cells, and the fields that all orders of a run share."""

from __future__ import annotations

from dataclasses import dataclass

from tlbench.contracts.cell import Cell
from tlbench.contracts.executor import KeepModels
from tlbench.running.sharing.shared_studies import SharedStudies


@dataclass(frozen=True)
class Attempt:
    """One attempt to run a cell."""

    cell: Cell
    folder: str
    """The attempt's own folder, for finished fits, the winner and predictions."""
    number: int = 1
    """The attempt's number, counted from 1. `--fresh` starts a new attempt, and only a cell's newest attempt counts."""
    sources: tuple[str, ...] = ()
    """Paths of work folders and record files from which this attempt may reuse finished fits; some may not exist
    yet."""
    record: str = ""
    """Path of the attempt's record, once it is committed."""
    fault: str = ""
    """Why the attempt cannot be made, in one line; empty if it can."""
    starts_over: bool = False
    """Whether to drop finished fits that were made with earlier source code or another search space of the strategy;
    if not, the cell fails when there are such fits."""


@dataclass(frozen=True)
class OrderDefaults:
    """What all cells of a run share; the driver resolves it once, so that all workers use the same."""

    device: str = "cpu"
    bf16: bool = False
    """Whether the device has bf16 arithmetic. If so, the precision `auto` is `bf16-autocast`, otherwise `fp32`."""
    threads: int = 1
    devices: int = 1
    """Number of devices of a worker, which fits of strategies that divide their batches use together."""
    environment: tuple[tuple[str, str], ...] = ()
    keep_models: KeepModels = "none"
    sharing: SharedStudies | None = None
    """Where several drivers share the searches of cells; None for a driver alone. It is no field of orders."""

    def precision(self, requested: str) -> str:
        """Returns the resolved precision: `fp32`, `bf16-autocast` or `bf16-weights`."""
        if requested != "auto":
            return requested
        return "bf16-autocast" if self.bf16 else "fp32"
