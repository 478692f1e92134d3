"""Reuses fits that other cells have finished instead of fitting them again.

A cell with more trials, more seeds or another sampler is a different cell, but some of its fits are the same, by
`Cell.fit_id`. Finished fits are read from records, and from the work folders of cells without a record yet. They are
reused only if they have the data and precision of this run and, for a plugin in development, the same source code.
Versions, threads and devices may differ: refusing such fits would repeat a night's work after a patch release. The
record lists all provenances.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tlbench.contracts.cell import Cell, FitPurpose, Protocol
from tlbench.contracts.executor import RUNG_PRUNERS, Fit
from tlbench.contracts.record import PAID, FitResult, Memory, Provenance, Record
from tlbench.results.records.record_files import read_record
from tlbench.running.cells.attempt import Attempt
from tlbench.running.cells.cell_folder import CellFolder
from tlbench.running.scoring.prediction_files import digests_of, read_seed, validation_path, write_table

if TYPE_CHECKING:
    import pyarrow as pa

# Aspects in which two provenances must agree. All other aspects may differ, and the record reports them.
_MUST_AGREE = ("train data", "validation data", "precision")
_LONGEST_SECONDS = 1e9
"""Upper bound, about thirty years, for a time in a file; a longer time cannot have been measured."""


@dataclass(frozen=True)
class _Source:
    """The finished fits of another cell."""

    trials: tuple[FitResult, ...]
    finals: tuple[FitResult, ...]
    cell: Cell
    made_with: tuple[Provenance, ...]
    memory: Memory
    folder: Path
    """The folder of the prediction files."""
    predictions: str | None = None
    """Name of the file with the predictions of all seeds; None if each seed has a file of its own."""
    validation: str | None = None
    """Name of the file with the validation predictions of all seeds; None if each seed has a file of its own."""
    digests: Mapping[str, str] = field(default_factory=dict)
    """The digests of these two files, by name."""

    @cached_property
    def search_id(self) -> str:
        """The identity of the source's search."""
        return self.cell.search_id

    def id_of(self, result: FitResult) -> str:
        """Returns the identity of one of the source's fits."""
        return self.cell.fit_id(result.params, result.seed, result.purpose)

    def table(self, result: FitResult) -> pa.Table | None:
        """Returns the test predictions of a final fit, or None if they cannot be read."""
        name = self.predictions or result.predictions
        # The name comes from a file that somebody may have sent: it must not lead out of the folder.
        if not name or Path(name).name != name:
            return None
        return read_seed(self.folder / name, result.seed, self.digests.get(name) or result.digests.get(name, ""))

    def validation_table(self, result: FitResult) -> pa.Table | None:
        """Returns the validation predictions of a final fit, or None if there are none that can be read."""
        seed = result.seed
        path = validation_path(self.folder, seed) if self.validation is None else self.folder / self.validation
        if path.parent != self.folder:
            return None
        return read_seed(path, seed, self.digests.get(path.name) or result.digests.get(path.name, ""))


@dataclass(frozen=True)
class ReusedFinal:
    """A final fit of another cell that this cell reuses."""

    result: FitResult
    test: str
    """The fingerprint of the test split that was predicted."""


class ReusedFits:
    """The finished fits of other cells that this cell can reuse, looked up by `Cell.fit_id`."""

    def __init__(self, attempt: Attempt, provenance: Callable[[], Provenance], folder: CellFolder) -> None:
        """Reads the finished fits of an attempt's sources.

        Args:
            attempt: The attempt whose fits are looked up.
            provenance: Returns this run's provenance; called only if there are sources, since it reads the data.
            folder: The cell's folder, which keeps the provenance of the fits that are reused.
        """
        self._cell, self._folder = attempt.cell, folder
        self._search: dict[tuple[str, int | None], tuple[FitResult, _Source]] = {}
        """Fits of the search by their id and what else must be the same (`_sameness`)."""
        self._final: dict[str, list[tuple[FitResult, _Source]]] = {}
        sources = list(_sources(attempt))
        mine = provenance() if sources else Provenance()
        for source in sources:
            if not all(has_same_data(mine, one) for one in source.made_with):
                continue
            # Ids are computed from the source's cell, whose final fits may have other training data than this cell's.
            for result in (*source.trials, *source.finals):
                if self._is_usable_trial(result, source):
                    for sameness in _sameness(result):
                        self._search.setdefault((source.id_of(result), sameness), (result, source))
            for result in source.finals:
                if result.status == "ok" and _is_plausible(result, source.cell.protocol):
                    self._final.setdefault(source.id_of(result), []).append((result, source))

    def trial(self, fit: Fit) -> FitResult | None:
        """Returns another cell's result for this fit of the search, or None if no other cell has finished the fit."""
        fit_id = self._id(fit, "search")
        # A fit of some length is another fit; a fit that thresholds may prune is the same with the same number.
        wanted = (fit.trial, None) if fit.stop_part is None else (-fit.stop_part,)
        found = next((self._search[fit_id, one] for one in wanted if (fit_id, one) in self._search), None)
        if found is None:
            return None
        result, source = found
        self._add_source(source)
        # The other cell may have made the fit as a final one, so what belongs to test predictions is removed.
        return msgspec.structs.replace(
            result, purpose="search", trial=fit.trial, taken_over=True, predict_seconds=0.0, predictions=None,
            stop_part=fit.stop_part, digests={},
        )  # fmt: skip

    def final(self, fit: Fit, path: Path) -> ReusedFinal | None:
        """Returns another cell's result for this final fit and writes its test predictions to `path`.

        Its validation predictions, if there are any, are written to the same folder.

        Returns None if no other cell has finished the fit.
        """
        for result, source in self._final.get(self._id(fit, "final"), ()):
            tests = {one.data["test"] for one in source.made_with if "test" in one.data}
            table = source.table(result)
            # With several test splits in one source, it is not known which one this fit predicted.
            if table is None or len(tests) != 1:
                continue
            write_table(path, table)
            validation, validation_file = source.validation_table(result), validation_path(path.parent, fit.seed)
            if validation is None:
                validation_file.unlink(missing_ok=True)  # it may be left of an earlier fit
            else:
                write_table(validation_file, validation)
            self._add_source(source)
            digests = digests_of(path.parent, [path.name, validation_file.name])
            taken = msgspec.structs.replace(
                result, trial=fit.trial, taken_over=True, predictions=path.name, digests=digests
            )
            return ReusedFinal(taken, tests.pop())
        return None

    def forget_finals(self) -> None:
        """Stops reusing final fits, because their predictions are of another test split."""
        self._final.clear()

    def _is_usable_trial(self, result: FitResult, source: _Source) -> bool:
        # Whether and when a trial is pruned depends on the trials before it, so with a pruner only trials of the same
        # search are reused. By rungs, a fit depends on no other trial.
        is_same, pruner = source.search_id == self._cell.search_id, self._cell.protocol.pruner
        kinds = {"ok", "diverged"} | ({"pruned"} if is_same or result.stop_part is not None else set())
        serves = is_same or not self._cell.protocol.is_searched or pruner in {"none", *RUNG_PRUNERS}
        # A repeated trial has no times; the trial that it repeats has them.
        is_fitted = result.repeats is None and result.status in kinds
        return serves and is_fitted and _is_plausible(result, source.cell.protocol)

    def _add_source(self, source: _Source) -> None:
        """Adds the source's provenances and memory use to those of the cell, so that the record includes them."""
        for made_with in source.made_with:
            self._folder.add_provenance(made_with)
        self._folder.add_memory(source.memory)

    def _id(self, fit: Fit, purpose: FitPurpose) -> str:
        return self._cell.fit_id(fit.params, fit.seed, purpose)


def _sameness(result: FitResult) -> set[int | None]:
    """Returns what must be equal, besides the params, for a fit to be reused: its length, or its trial's number.

    A fit of some length is known by its part, with a minus sign. A fit that thresholds pruned has its trial's number,
    since another trial with the same params might not be pruned. A whole fit has None.
    """
    length: set[int | None] = set() if result.stop_part is None else {-result.stop_part}
    if result.status == "ok" or not length:
        return {*length, result.trial if result.status == "pruned" else None}
    return length


def has_same_data(mine: Provenance, other: Provenance) -> bool:
    """Returns whether two provenances have the same train and validation data, precision and, if known, code."""
    if any(mine.code.get(name, digest) != digest for name, digest in other.code.items()):
        return False
    ours, theirs = mine.aspects(), other.aspects()
    return all(ours.get(aspect) == theirs.get(aspect) for aspect in _MUST_AGREE)


def _is_plausible(result: FitResult, protocol: Protocol) -> bool:
    """Returns whether a run can have produced this result; files may come from other people."""
    seconds = (getattr(result, name) for name in result.__struct_fields__ if name.endswith("_seconds"))
    has_none = result.purpose == "final" and protocol.trains_on_validation
    scored = result.status != "ok" or has_none or result.validation is not None
    return scored and all(0 <= value < _LONGEST_SECONDS for value in seconds)


def reused_seconds(cell: Cell, trials: Sequence[FitResult], finals: Sequence[FitResult]) -> float:
    """Returns the total time in seconds that a cell's reused fits took in the runs that computed them."""
    searched = [trial for trial in trials if trial.taken_over]
    total = sum(getattr(trial, field) for trial in searched for field in PAID)
    for final in finals:
        if final.taken_over:
            # The fit of the search may have served as the final fit of its seed; then its time counts once.
            mine = cell.fit_id(final.params, final.seed, "final")
            whole = [trial for trial in searched if trial.status == "ok"]
            once = any(cell.fit_id(trial.params, trial.seed) == mine for trial in whole)
            fields = ("predict_seconds", "encode_paid_seconds") if once else ("predict_seconds", *PAID)
            total += sum(getattr(final, field) for field in fields)
    return float(total)


def _sources(attempt: Attempt) -> Iterator[_Source]:
    for place in map(Path, attempt.sources):
        if place.is_dir():
            # A cell without a record: interrupted, or run by another process right now.
            found = _from_folder(CellFolder(place))
        else:
            record = read_record(place) if place.is_file() else None
            found = _from_record(record, place.parent) if isinstance(record, Record) else None
        # Sources were chosen by a prefix of `fits_id`, which cells with other fits may share, so compare all of it.
        if found is not None and found[0] == attempt.cell.fits_id:
            yield found[1]


def _from_record(record: Record, folder: Path) -> tuple[str, _Source]:
    return record.cell.fits_id, _Source(
        record.trials,
        record.fits,
        record.cell,
        (record.provenance, *record.also_made_with),
        record.memory,
        folder,
        record.predictions,
        record.validation_predictions or "",
        record.digests,
    )


def _from_folder(work: CellFolder) -> tuple[str, _Source] | None:
    """Returns the `fits_id` and the finished fits of a cell that has no record yet.

    Returns None if its folder cannot be read, or lacks the cell or a provenance.
    """
    cell, made_with = work.cell(), work.provenances()
    if cell is None or not made_with:
        return None
    try:
        trials, finals = tuple(work.trials()), tuple(work.finals())
    except (OSError, msgspec.DecodeError):
        return None
    return cell.fits_id, _Source(trials, finals, cell, tuple(made_with), work.memory(), work.root)
