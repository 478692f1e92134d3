"""The folder of an attempt at a cell: finished work is on disk, so that a kill loses only the fits in progress.

lock                locked (flock) by the process that runs the cell; the kernel unlocks it when the process dies
trials-<n>.json     finished trials of one order; n is the first one's number, and for a short fit -<part> follows it
winner.json         the frozen params and seeds; no test split is opened before this file is on disk
saved-<n>/          the predictor of the best trial so far, if its strategy can save it
model-<s>/          the predictor of a final fit, if models are kept, until the record is committed
final-<s>.json      a finished final fit; its predictions are in seed-<s>.parquet (test) and validation-<s>.parquet
test-read-<n>       empty; the n-th order that opens the test split, made before the order is submitted
seconds.json        the time that processes worked on the cell, up to one of the last finished fits
began               the start times of the processes that ran the cell, in Unix time, one per line
cell.json           the cell's definition, read by cells that can reuse its fits
definition.json     the strategy's space, defaults and code when the search began
made-with.json      the provenances of the fits: versions, data, threads, device
memory.json         the highest memory use of any worker on the cell
record.json         the finished record
committed           empty; the record was committed (`commit_marks.py`)
study.sqlite        the search as an Optuna study, for dashboards

Every JSON file carries a digest. A damaged file counts as missing, and what it held is made again.
"""

from __future__ import annotations

import logging
import math
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from tlbench.contracts.cell import Cell
from tlbench.contracts.record import FitResult, Memory, Provenance, Record
from tlbench.contracts.space import Value
from tlbench.contracts.untrusted.open_flags import NOT_INHERITED
from tlbench.results.records.commit_marks import is_committed, is_deleted
from tlbench.running.memory.cell_memory import peak_memory
from tlbench.system.durable import sync_folder
from tlbench.system.integrity.sealed_files import is_damaged, read_sealed, write_sealed, write_sealed_quickly
from tlbench.system.integrity.sealed_json import file_digest
from tlbench.system.portable.file_lock import lock_now

MADE_WITH = "made-with.json"
_SECONDS_APART = 0.5
_log = logging.getLogger(__name__)


class Winner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The outcome of a search, frozen before the test split is opened."""

    params: dict[str, Value]
    seeds: tuple[int, ...]
    trial: int
    validation: float | None
    trials_planned: int | None = None
    """Number of trials that the search would have had; None unless the time limit stopped it before the last one."""
    notes: dict[str, float] = {}
    """The notes that the strategy made in the winning trial; final fits need them if they have no validation split."""


class _Spent(msgspec.Struct, frozen=True):
    seconds: float


class Lease:
    """The exclusive right to run a cell."""

    def __init__(self, handle: int) -> None:
        self._handle: int | None = handle

    def release(self) -> None:
        """Lets other processes take the lease."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


class CellFolder:
    """Reads and writes the files of one attempt at a cell."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._seconds = self._seconds_stored = 0.0
        root.mkdir(parents=True, exist_ok=True)

    def lease(self) -> Lease | None:
        """Takes and returns the cell's lease; returns None if another process holds the lease."""
        # The kernel releases the lock when the process ends, even after a crash, so that no stale lock can remain.
        # O_CLOEXEC keeps programs that this process starts from inheriting the lock.
        handle = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | NOT_INHERITED, 0o644)
        try:
            lock_now(handle)
        except BlockingIOError:
            os.close(handle)
            return None
        return Lease(handle)

    def drop_deleted(self, record: Path) -> None:
        """Removes all files but the lock if the attempt's record, at this path, was committed and deleted since."""
        if is_deleted(self.root, record):
            self.drop_saved()
            self.drop_models()
            for path in self.root.iterdir():
                # Removing a lock that is held would let another process take a second one.
                if path.name != "lock" and not path.is_dir():
                    path.unlink(missing_ok=True)

    @property
    def study(self) -> Path:
        """The path of the SQLite study."""
        return self.root / "study.sqlite"

    def trials(self) -> list[FitResult]:
        """Returns the finished fits of the search by trial number, shorter ones first; skips damaged files."""
        found: dict[tuple[int, int], FitResult] = {}
        for path in self.root.glob("trials-*.json"):
            for result in read_sealed(path, list[FitResult]) or ():
                found[order_in_search(result)] = result
        return [found[key] for key in sorted(found)]

    def save_trials(self, results: Sequence[FitResult]) -> None:
        """Stores the results of all fits of one order in one file.

        After a power cut the file may be missing; then its fits are repeated.
        """
        part = "" if results[0].stop_part is None else f"-{results[0].stop_part}"
        write_sealed_quickly(self.root / f"trials-{results[0].trial}{part}.json", results)

    def winner(self) -> Winner | None:
        """Returns the frozen winner, or None if no readable one is on disk yet."""
        return read_sealed(self.root / "winner.json", Winner)

    def freeze(self, winner: Winner) -> None:
        """Writes the winner; after that the test split may be opened."""
        # Flushed to disk, unlike fits: if a power cut took it, another winner could be chosen after the test split was
        # opened.
        write_sealed(self.root / "winner.json", winner)

    def save_final(self, result: FitResult) -> None:
        """Stores a final fit; its predictions must be on disk already."""
        write_sealed_quickly(self.root / f"final-{result.seed}.json", result)

    def drop_final(self, seed: int) -> None:
        """Removes the result of a seed's final fit, so that the fit is repeated."""
        (self.root / f"final-{seed}.json").unlink(missing_ok=True)
        self.drop_models(seed)

    def finals(self) -> list[FitResult]:
        """Returns the results of finished final fits, except damaged ones and fits whose predictions are not whole."""
        results = (read_sealed(path, FitResult) for path in self.root.glob("final-*.json"))
        return [one for one in results if one and self.has_whole_files((one.predictions,), one.digests)]

    def has_whole_files(self, names: Sequence[str | None], digests: Mapping[str, str]) -> bool:
        """Returns whether the files with these names are there, and those with digests are as they were written."""
        try:
            changed = [name for name, digest in digests.items() if file_digest(self.root / Path(name).name) != digest]
        except OSError:
            return False
        if changed:
            _log.warning("%s is damaged and counts as missing", self.root / changed[0])
        return not changed and all((self.root / name).is_file() for name in names if name)

    def predictions(self, seed: int) -> Path:
        """Returns the path of a seed's test predictions."""
        return self.root / f"seed-{seed}.parquet"

    def record_start(self, cell: Cell) -> None:
        """Stores the cell, and the time at which this process starts to run it."""
        write_sealed_quickly(self.root / "cell.json", cell)
        with (self.root / "began").open("a", encoding="ascii") as file:
            file.write(f"{time.time()}\n")

    def cell(self) -> Cell | None:
        """Returns the cell of this folder, or None if no process has started it."""
        return read_sealed(self.root / "cell.json", Cell)

    def provenances(self) -> list[Provenance]:
        """Returns the provenances of the fits in this folder.

        There are several if, for example, the version of a library changed between two runs.
        """
        return read_sealed(self.root / MADE_WITH, list[Provenance]) or []

    def add_provenance(self, provenance: Provenance) -> None:
        """Adds the provenance of a fit, or merges it into a stored provenance that does not contradict it."""
        known = self.provenances()
        match = next((one for one in known if not one.differing(provenance)), None)
        if match is not None:
            # Fits load different libraries and read different splits, so each adds what the others lack.
            provenance = msgspec.structs.replace(
                provenance,
                distributions={**match.distributions, **provenance.distributions},
                data={**match.data, **provenance.data},
            )
            # Most fits add nothing new, and a write for each would cost time.
            if msgspec.structs.replace(provenance, started=match.started) == match:
                return
        write_sealed_quickly(self.root / MADE_WITH, [*(one for one in known if one is not match), provenance])

    def reset(self) -> None:
        """Removes all finished work."""
        # Not `test-read-*` and `began`: the record counts all reads of the test split, and all time.
        for pattern in (
            "trials-*",
            "final-*",
            "seed-*",
            "validation-*",
            "winner.json",
            MADE_WITH,
            "memory.json",
        ):
            for path in self.root.glob(pattern):
                path.unlink(missing_ok=True)
        self.drop_saved()
        self.drop_models()

    def drop_saved(self, trial: int | None = None) -> None:
        """Removes the saved predictor of a trial.

        Without a trial, removes all saved predictors, including incomplete ones of a process that was killed.
        """
        for name in ("saved-*", ".saved-*.tmp") if trial is None else (f"saved-{trial}",):
            for path in self.root.glob(name) if trial is None else [self.root / name]:
                shutil.rmtree(path, ignore_errors=True)

    def drop_models(self, seed: int | None = None) -> None:
        """Removes the kept predictor of a seed's final fit; without a seed, those of all."""
        for path in self.root.glob("model-*" if seed is None else f"model-{seed}"):
            shutil.rmtree(path, ignore_errors=True)

    def drop_other_tests(self, test: str) -> None:
        """Removes the provenances of fits whose test split has a different fingerprint."""
        kept = [one for one in self.provenances() if one.data.get("test", test) == test]
        write_sealed_quickly(self.root / MADE_WITH, kept)

    def seconds_spent(self) -> float:
        """Returns the total time in seconds that earlier processes worked on the cell, as far as it was stored.

        A process that was killed could not write down when it ended: what it did after its last finished fits is lost,
        and not charged.
        """
        spent = read_sealed(self.root / "seconds.json", _Spent)
        return spent.seconds if spent is not None and 0 <= spent.seconds < math.inf else 0.0

    def note_seconds(self, seconds: float) -> None:
        """Takes in the total time in seconds that processes have worked on the cell; stores it twice a second."""
        self._seconds = seconds
        # Replacing a file waits for the disk on some file systems, which may take as long as a short fit.
        if seconds - self._seconds_stored >= _SECONDS_APART:
            self.save_seconds()

    def save_seconds(self) -> None:
        """Stores the time that was last taken in."""
        if self._seconds != self._seconds_stored:
            write_sealed_quickly(self.root / "seconds.json", _Spent(self._seconds))
            self._seconds_stored = self._seconds

    def count_test_read(self) -> None:
        """Counts one opening of the test split."""
        # Made before the order is submitted: a count may be too high after a kill, but never too low. Names are
        # counted, since a damaged file keeps its name.
        (self.root / f"test-read-{self.test_reads + 1}").touch()
        sync_folder(self.root)

    @property
    def test_reads(self) -> int:
        """Number of times that the test split was opened, in all processes that ran the cell together."""
        return sum(1 for _ in self.root.glob("test-read-*"))

    def record(self, cell_id: str, attempt: int) -> Record | None:
        """Returns the finished record of this attempt, or None if there is none or its predictions are gone."""
        record = read_sealed(self.root / "record.json", Record)
        if record is None or (record.cell.id, record.attempt) != (cell_id, attempt):
            return None
        # Committing moves the predictions out of this folder.
        is_whole = is_committed(self.root) or self.has_whole_files((record.predictions,), record.digests)
        return record if is_whole else None

    def save_record(self, record: Record) -> None:
        """Stores the finished record until it is committed."""
        write_sealed(self.root / "record.json", record)

    def memory(self) -> Memory:
        """Returns the highest memory use of a worker on the cell so far."""
        return read_sealed(self.root / "memory.json", Memory) or Memory()

    def add_memory(self, memory: Memory) -> None:
        """Updates the highest memory use so far with that of one order."""
        known = self.memory()
        if (highest := peak_memory([known, memory])) != known:
            write_sealed_quickly(self.root / "memory.json", highest)

    def finished(self) -> int:
        """Returns the number of files of finished work, which grows as long as the cell makes progress."""
        patterns = ("trials-*.json", "final-*.json", "winner.json")
        return sum(1 for pattern in patterns for _ in self.root.glob(pattern))

    def drop_unverifiable(self) -> None:
        """Removes all finished work if damage has taken what says with which versions and data it was made."""
        if is_damaged(self.root / MADE_WITH, list[Provenance]) and self.finished():
            self.reset()


def order_in_search(result: FitResult) -> tuple[int, int]:
    """Returns the key by which the fits of a search are sorted: by trial, and the shortest fit of a trial first."""
    return result.trial, -(result.stop_part or 0)
