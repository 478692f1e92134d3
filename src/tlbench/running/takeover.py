"""Fits that other cells have finished and this one asks for too: taken over, and not made again.

A cell with more trials, more seeds or another sampler is another cell, but its fits are the same, by `Cell.fit_id`.
They are read out of records and of the work folders of cells that are not recorded yet, and are taken only where data
and precision are this run's. Whatever else they were made with is noted, and the record says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tlbench.contracts.executor import CellOrder
from tlbench.contracts.record import PAID, FitOrder, FitResult, Memory, Provenance, Record
from tlbench.contracts.task import Examples
from tlbench.results.record_files import read_record
from tlbench.running.posts import Posts
from tlbench.running.scoring import stored_answers, write_predictions
from tlbench.running.work import WorkFolder
from tlbench.running.workbench import Materials

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
        try:
            if not (self.folder / name).is_file():
                return None
            table = pq.read_table(self.folder / name)
            return table.filter(pc.equal(table["seed"], result.seed))
        except (OSError, KeyError, pa.ArrowException):
            return None


class FinishedFits:
    """What other cells have finished of a cell's fits, by the identity of each."""

    def __init__(self, order: CellOrder, materials: Materials) -> None:
        """Reads the sources of an order, of which the materials say with what it is run."""
        self._cell, self._work, self._task = order.cell, materials.work, materials.info
        self._search: dict[str, tuple[FitResult, _Source]] = {}
        self._final: dict[str, list[tuple[FitResult, _Source]]] = {}
        mine = materials.provenance()
        for source in _sources(order):
            if not all(alike(mine, one) for one in source.made_with):
                continue
            for result in (*source.trials, *source.finals):
                if self._serves_search(result, source):
                    self._search.setdefault(self._id(result), (result, source))
            for result in source.finals:
                if result.status == "ok" and _is_sane(result):
                    self._final.setdefault(self._id(result), []).append((result, source))

    def take_trials(self, orders: Sequence[FitOrder]) -> list[FitOrder]:
        """Puts the trials that others have finished among this cell's; returns the orders that are left."""
        left = []
        for order in orders:
            found = self._search.get(self._id(order))
            if found is None or self._work.has_trial(order.trial):
                left.append(order)
                continue
            result, source = found
            taken = msgspec.structs.replace(
                result, purpose="search", trial=order.trial, taken_over=True, predict_seconds=0.0, predictions=None
            )
            self._note(source)
            self._work.save_trials([taken])
        return left

    def take_finals(self, orders: Sequence[FitOrder], test: Examples) -> None:
        """Puts the final fits that others have finished on this test split among this cell's."""
        for order in orders:
            if self._work.final(order.seed) is None:
                any(self._take_final(order, *found, test) for found in self._final.get(self._id(order), ()))

    def has_final(self, order: FitOrder) -> bool:
        """Says whether another cell has finished this final fit, on whatever test split."""
        return self._id(order) in self._final

    def _take_final(self, order: FitOrder, result: FitResult, source: _Source, test: Examples) -> bool:
        if {one.data["test"] for one in source.made_with if "test" in one.data} != {test.fingerprint}:
            return False
        scored = stored_answers(source.table(result), test, self._task)
        if scored is None:
            return False
        path = self._work.predictions(order.seed)
        write_predictions(path, order.seed, test, scored)
        self._note(source)
        self._work.save_final(
            msgspec.structs.replace(result, trial=order.trial, taken_over=True, predictions=path.name)
        )
        return True

    def _serves_search(self, result: FitResult, source: _Source) -> bool:
        # What is pruned is so beside the trials before it, which only the same search has.
        kinds = {"ok", "diverged"} | ({"pruned"} if source.search_id == self._cell.search_id else set())
        return result.status in kinds and _is_sane(result)

    def _note(self, source: _Source) -> None:
        for made_with in source.made_with:
            self._work.note_made_with(made_with)
        Posts(self._work.root).note_memory(source.memory)

    def _id(self, fit: FitOrder | FitResult) -> str:
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


def _sources(order: CellOrder) -> Iterator[_Source]:
    for place in map(Path, order.sources):
        if place.is_dir():
            found = _at_work(WorkFolder(place))
        else:
            record = read_record(place) if place.is_file() else None
            found = _recorded(record, place.parent) if isinstance(record, Record) else None
        if found is not None and found[0] == order.cell.fits_id:
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


def _at_work(work: WorkFolder) -> tuple[str, _Source] | None:
    """Returns what a cell without a record has finished, or None where its folder does not say enough of itself."""
    cell, made_with = work.cell(), work.made_with()
    if cell is None or not made_with:
        return None
    try:
        trials, finals = tuple(work.trials().values()), tuple(work.finals())
    except (OSError, msgspec.DecodeError):
        return None
    return cell.fits_id, _Source(trials, finals, cell.search_id, tuple(made_with), Memory(), work.root)
