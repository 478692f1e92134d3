"""The two sides of a comparison: what the arguments of `tlbench compare` mean, and where their predictions are."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from tlbench.contracts.errors import StoreError, UsageError
from tlbench.contracts.record import Record
from tlbench.results.comparison.answer_files import AnswerFile, read_answers
from tlbench.results.index import Index
from tlbench.results.reading.default_folder import expanded
from tlbench.results.records.cell_ids import full_id
from tlbench.results.records.record_files import Unreadable
from tlbench.results.records.store import Store
from tlbench.results.records.stored_predictions import read_predictions
from tlbench.results.records.summaries import CellSummary, Summaries
from tlbench.results.render.escaping import printable
from tlbench.results.stats import CellPredictions

_CELL = re.compile(r"[0-9a-f]{1,16}")


@dataclass(frozen=True)
class ResultsSide:
    """A folder of results, or one of its cells."""

    name: str
    store: Store
    cell: str = ""
    """The id of the cell; empty for the whole folder."""

    def summaries(self) -> list[CellSummary]:
        """Returns the summary of the newest record of the cell, or of each cell of the folder."""
        if not self.cell:
            return Index(self.store).summaries(reported).cells
        summaries = Summaries()
        summaries.add(self.record(), self.cell)
        return summaries.cells

    def record(self) -> Record:
        """Returns the newest record of the cell.

        Raises:
            StoreError: The record cannot be read.
        """
        record = self.store.newest(self.cell)
        if not isinstance(record, Record):
            reason = f"{record.message}; {record.remedy}" if isinstance(record, Unreadable) else "it is gone"
            raise StoreError(f"{self.store.root}: {self.cell}: {reason}")
        return record

    def predictions(self, summary: CellSummary, with_scores: bool = False) -> CellPredictions | None:
        """Returns the stored predictions of a cell; None if there are none that can be read, which stderr says."""
        path = self.store.predictions(summary) if summary.predictions else None
        try:
            return None if path is None else read_predictions(path, with_scores, summary.predictions_digest)
        except (OSError, ValueError) as error:
            print(printable(f"tlbench: {path} cannot be read: {error}"), file=sys.stderr)
            return None


@dataclass(frozen=True)
class FileSide:
    """A file with the answers of another program."""

    name: str
    file: AnswerFile


Side = ResultsSide | FileSide


def read_side(text: str, out: Path) -> Side:
    """Returns what an argument names: a folder, a file, a cell of `out`, or a cell of another folder.

    Raises:
        UsageError: It names none of these, or several cells.
    """
    path = expanded(Path(text))
    if path.is_dir():
        return ResultsSide(text, Store.open(path))
    if path.is_file():
        return FileSide(text, read_answers(path))
    if path.exists():
        raise UsageError(f"{text}: neither a file nor a folder: save what it gives as a file")
    folder, colon, cell = text.rpartition(":")
    root = expanded(Path(folder)) if colon else out
    if not _CELL.fullmatch(cell) or (colon and not root.is_dir()):
        raise UsageError(
            f"{text}: no such file or folder, nor the id of a cell: `tlbench leaderboard --all` shows the ids there are"
        )
    store = Store.open(root)
    try:
        return ResultsSide(text, store, full_id(cell, store.attempts()))
    except UsageError as error:
        raise UsageError(f"{root}: {error}") from None


def reported(file: Unreadable) -> None:
    """Prints to stderr that a record is left out, and why."""
    print(printable(f"tlbench: {file.message}; it is left out: {file.remedy}"), file=sys.stderr)
