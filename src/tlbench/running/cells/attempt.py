"""One attempt at a cell: what a run is to do."""

from __future__ import annotations

from dataclasses import dataclass

from tlbench.contracts.cell import Cell


@dataclass(frozen=True)
class Attempt:
    """A cell, and where its files are."""

    cell: Cell
    folder: str
    """The cell's own: finished fits, winner, predictions."""
    number: int = 1
    """Raised by `--fresh`: the newest attempt of a cell is the one that counts."""
    sources: tuple[str, ...] = ()
    """Folders and files of records, there or to come, of cells with the same fits, which may be taken over."""


@dataclass(frozen=True)
class Means:
    """What the orders of a run have in common: resolved once, so that no worker decides for itself."""

    device: str = "cpu"
    bf16: bool = False
    """Whether the device multiplies bf16 itself: what the precision `auto` means."""
    threads: int = 1
    environment: tuple[tuple[str, str], ...] = ()

    def precision(self, asked: str) -> str:
        """Returns `fp32`, `bf16-autocast` or `bf16-weights`."""
        if asked != "auto":
            return asked
        return "bf16-autocast" if self.bf16 else "fp32"
