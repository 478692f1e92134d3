"""Fits that other cells have finished and this one asks for too: taken over, and not made again.

A cell with more trials, more seeds or another sampler is another cell, but its fits are the same, by `Cell.fit_id`.
They are read out of records and of the work folders of cells that are not recorded yet, and are taken only where data
and precision are this run's. Whatever else they were made with is noted, and the record says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tlbench.contracts.executor import Fit
from tlbench.contracts.record import PAID, FitResult, Memory, Provenance, Record
from tlbench.results.records.record_files import read_record
from tlbench.running.cells.attempt import Attempt
from tlbench.running.cells.cell_folder import CellFolder
from tlbench.running.scoring.prediction_files import of_seed, write_table

if TYPE_CHECKING:
    import pyarrow as pa

_MUST_AGREE = ("train data", "validation data", "precision")
_LONGEST_SECONDS = 1e9
"""Thirty years: what claims to have taken longer was not measured."""


@dataclass(frozen=True)
class _Source:
    """One cell's finished fits."""

    trials: tuple[FitResult, ...]
    finals: tuple[FitResult, ...]
    search_id: str
    made_with: tuple[Provenance, ...]
    memory: Memory
    folder: Path
    """Of the predictions."""
    predictions: str | None = None
    """The file of all seeds; None where each has its own."""

    def table(self, result: FitResult) -> pa.Table | None:
        """Returns the test predictions of a final fit, or None where they cannot be read."""
        name = self.predictions or result.predictions
        if not name or Path(name).name != name:
            return None
        return of_seed(self.folder / name, result.seed)


@dataclass(frozen=True)
class TakenFinal:
    """A final fit of another cell."""

    result: FitResult
    test: str
    """The fingerprint of the test split that it answered."""


class FinishedFits:
    """What other cells have finished of a cell's fits, by the identity of each."""

    def __init__(self, attempt: Attempt, made_with: Callable[[], Provenance], folder: CellFolder) -> None:
        """Reads the sources of an attempt; `made_with`, which reads data, says with what the attempt is run."""
        self._cell, self._folder = attempt.cell, folder
        self._search: dict[str, tuple[FitResult, _Source]] = {}
        self._final: dict[str, list[tuple[FitResult, _Source]]] = {}
        sources = list(_sources(attempt))
        mine = made_with() if sources else Provenance()
        for source in sources:
            if not all(alike(mine, one) for one in source.made_with):
                continue
            for result in (*source.trials, *source.finals):
                if self._serves_search(result, source):
                    self._search.setdefault(self._id(result), (result, source))
            for result in source.finals:
                if result.status == "ok" and _is_sane(result):
                    self._final.setdefault(self._id(result), []).append((result, source))

    def trial(self, fit: Fit) -> FitResult | None:
        """Returns a trial of this cell that another has finished, or None."""
        found = self._search.get(self._id(fit))
        if found is None:
            return None
        result, source = found
        self._note(source)
        return msgspec.structs.replace(
            result, purpose="search", trial=fit.trial, taken_over=True, predict_seconds=0.0, predictions=None
        )

    def final(self, fit: Fit, path: Path) -> TakenFinal | None:
        """Returns a final fit that another cell has finished, with its predictions put at the path; or None."""
        for result, source in self._final.get(self._id(fit), ()):
            tests = {one.data["test"] for one in source.made_with if "test" in one.data}
            table = source.table(result)
            if table is None or len(tests) != 1:
                continue
            write_table(path, table)
            self._note(source)
            taken = msgspec.structs.replace(result, trial=fit.trial, taken_over=True, predictions=path.name)
            return TakenFinal(taken, tests.pop())
        return None

    def forget_finals(self) -> None:
        """Takes over no final fits any more: they answered another test split."""
        self._final.clear()

    def _serves_search(self, result: FitResult, source: _Source) -> bool:
        # Where trials are pruned, whether one is, and what it reports, depends on the trials before it.
        is_same = source.search_id == self._cell.search_id
        kinds = {"ok", "diverged"} | ({"pruned"} if is_same else set())
        serves = is_same or not self._cell.protocol.is_searched or self._cell.protocol.pruner == "none"
        return serves and result.status in kinds and _is_sane(result)

    def _note(self, source: _Source) -> None:
        for made_with in source.made_with:
            self._folder.note_made_with(made_with)
        self._folder.note_memory(source.memory)

    def _id(self, fit: Fit | FitResult) -> str:
        return self._cell.fit_id(fit.params, fit.seed)


def alike(mine: Provenance, other: Provenance) -> bool:
    """Says whether fits are of the same data and in the same numbers: others are other fits, though the cell is one."""
    ours, theirs = mine.aspects(), other.aspects()
    return all(ours.get(aspect) == theirs.get(aspect) for aspect in _MUST_AGREE)


def _is_sane(result: FitResult) -> bool:
    """Says whether a result may be one that a run has made: a folder may have been sent."""
    seconds = (getattr(result, name) for name in result.__struct_fields__ if name.endswith("_seconds"))
    scored = result.status != "ok" or result.validation is not None
    return scored and all(0 <= value < _LONGEST_SECONDS for value in seconds)


def taken_seconds(trials: Sequence[FitResult], finals: Sequence[FitResult]) -> float:
    """Returns the seconds that those of a cell's fits took which were made for another cell."""
    searched = [trial for trial in trials if trial.taken_over]
    total = sum(getattr(trial, field) for trial in searched for field in PAID)
    for final in finals:
        if final.taken_over:
            # The winner's own fit of the search counts as that of its seed, and was paid for once.
            once = any((trial.params, trial.seed) == (final.params, final.seed) for trial in searched)
            fields = ("predict_seconds", "encode_paid_seconds") if once else ("predict_seconds", *PAID)
            total += sum(getattr(final, field) for field in fields)
    return float(total)


def _sources(attempt: Attempt) -> Iterator[_Source]:
    for place in map(Path, attempt.sources):
        if place.is_dir():
            found = _at_work(CellFolder(place))
        else:
            record = read_record(place) if place.is_file() else None
            found = _recorded(record, place.parent) if isinstance(record, Record) else None
        if found is not None and found[0] == attempt.cell.fits_id:
            yield found[1]


def _recorded(record: Record, folder: Path) -> tuple[str, _Source]:
    return record.cell.fits_id, _Source(
        record.trials,
        record.fits,
        record.cell.search_id,
        (record.provenance, *record.also_made_with),
        record.memory,
        folder,
        record.predictions,
    )


def _at_work(work: CellFolder) -> tuple[str, _Source] | None:
    """Returns what a cell without a record has finished, or None where its folder does not say enough of itself."""
    cell, made_with = work.cell(), work.made_with()
    if cell is None or not made_with:
        return None
    try:
        trials, finals = tuple(work.trials().values()), tuple(work.finals())
    except (OSError, msgspec.DecodeError):
        return None
    return cell.fits_id, _Source(trials, finals, cell.search_id, tuple(made_with), work.memory(), work.root)
