"""Attempts at cells, and what all orders of a run have in common."""

from __future__ import annotations

from dataclasses import dataclass

from tlbench.contracts.cell import Cell


@dataclass(frozen=True)
class Attempt:
    """One attempt to run a cell."""

    cell: Cell
    folder: str
    """The attempt's own folder, for finished fits, the winner and predictions."""
    number: int = 1
    """Counted from 1 and raised by `--fresh`: only a cell's newest attempt counts."""
    sources: tuple[str, ...] = ()
    """Folders and record files, which may not exist yet, of cells with the same fits, which this one may reuse."""


@dataclass(frozen=True)
class OrderDefaults:
    """The fields that all orders of a run share; resolved once in the driver, so that no worker decides for itself."""

    device: str = "cpu"
    bf16: bool = False
    """Whether the device has bf16 arithmetic, which is what the precision `auto` depends on."""
    threads: int = 1
    environment: tuple[tuple[str, str], ...] = ()

    def precision(self, requested: str) -> str:
        """Returns the resolved precision: `fp32`, `bf16-autocast` or `bf16-weights`."""
        if requested != "auto":
            return requested
        return "bf16-autocast" if self.bf16 else "fp32"
