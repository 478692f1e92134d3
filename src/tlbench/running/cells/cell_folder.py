"""A cell's folder: what it has finished, kept so that a kill loses at most the fits in progress.

lock                held (flock) by the process that drives the cell; the kernel frees it
trials-<n>.json     finished fits of the search, by the first trial of their order
winner.json         the frozen params and seeds; no test split is opened before it is on disk
saved-<n>/          the predictor of the best trial so far, where its strategy can save it
final-<s>.json      a finished final fit, with its predictions in seed-<s>.parquet
test-reads          one byte for each order that opens the test split, before it is sent
began               when each process took up the cell, in Unix time, a line each
cell.json           the cell, for others that ask for the same fits
made-with.json      what the fits here were made with: versions, data, threads, device
memory.json         the highest memory that a worker needed
record.json         the finished record, until it is committed
study.sqlite        the search, for dashboards
"""

from __future__ import annotations

import errno
import fcntl
import math
import os
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from tlbench.contracts.cell import Cell
from tlbench.contracts.record import FitResult, Memory, Provenance, Record
from tlbench.contracts.space import Value
from tlbench.system.durable import write_durably

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
"""What the system says of a disk that takes no more: no cell's fault."""


class Winner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is frozen before the test split is opened."""

    params: dict[str, Value]
    seeds: tuple[int, ...]
    trial: int
    validation: float | None


class Lease:
    """A hold on a cell."""

    def __init__(self, handle: int) -> None:
        self._handle: int | None = handle

    def release(self) -> None:
        """Lets another process have the cell."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


class CellFolder:
    """The files of one cell at work."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)

    def lease(self) -> Lease | None:
        """Returns a hold on the cell, or None while another process has it; the kernel frees it on any death."""
        handle = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        return Lease(handle)

    @property
    def study(self) -> Path:
        """The study's sqlite file."""
        return self.root / "study.sqlite"

    def trials(self) -> dict[int, FitResult]:
        """Returns the finished fits of the search, by trial; a damaged file is none, and its fits are made again."""
        found: dict[int, FitResult] = {}
        for path in self.root.glob("trials-*.json"):
            with suppress(OSError, ValueError):
                for result in msgspec.json.decode(path.read_bytes(), type=list[FitResult]):
                    found[result.trial] = result
        return dict(sorted(found.items()))

    def save_trials(self, results: Sequence[FitResult]) -> None:
        """Keeps the fits of one order, all or none; what a power cut costs is made again."""
        self._put(f"trials-{results[0].trial}.json", msgspec.json.encode(results))

    def winner(self) -> Winner | None:
        """Returns the frozen winner, or None while the search goes on."""
        with suppress(FileNotFoundError, msgspec.DecodeError):
            return msgspec.json.decode((self.root / "winner.json").read_bytes(), type=Winner)
        return None

    def freeze(self, winner: Winner) -> None:
        """Puts the winner on disk; from here on the test split may be opened."""
        write_durably(self.root / "winner.json", msgspec.json.encode(winner))

    def save_final(self, result: FitResult) -> None:
        """Keeps a final fit; its predictions must be on disk."""
        self._put(f"final-{result.seed}.json", msgspec.json.encode(result))

    def drop_final(self, seed: int) -> None:
        """Forgets a final fit, which is then to be made again."""
        (self.root / f"final-{seed}.json").unlink(missing_ok=True)

    def finals(self) -> list[FitResult]:
        """Returns the finished final fits whose predictions are there; a damaged file is none."""
        found = []
        for path in self.root.glob("final-*.json"):
            with suppress(OSError, ValueError):
                result = msgspec.json.decode(path.read_bytes(), type=FitResult)
                if result.predictions is None or self.predictions(result.seed).is_file():
                    found.append(result)
        return found

    def predictions(self, seed: int) -> Path:
        """The file of a seed's test predictions."""
        return self.root / f"seed-{seed}.parquet"

    def begin(self, cell: Cell) -> None:
        """Notes that a process takes up the cell."""
        self._put("cell.json", msgspec.json.encode(cell))
        with (self.root / "began").open("a", encoding="ascii") as file:
            file.write(f"{now()}\n")

    def cell(self) -> Cell | None:
        """Returns the cell whose folder it is, or None where nobody has taken it up."""
        with suppress(OSError, msgspec.DecodeError):
            return msgspec.json.decode((self.root / "cell.json").read_bytes(), type=Cell)
        return None

    def made_with(self) -> list[Provenance]:
        """Returns what the fits in this folder were made with: more than one if a version, say, changed meanwhile."""
        with suppress(OSError, msgspec.DecodeError):
            return msgspec.json.decode((self.root / "made-with.json").read_bytes(), type=list[Provenance])
        return []

    def note_made_with(self, made_with: Provenance) -> None:
        """Notes what fits in this folder are made with; what agrees with what is known already adds to it."""
        known = self.made_with()
        alike = next((one for one in known if not one.differing(made_with)), None)
        if alike is not None:
            made_with = msgspec.structs.replace(
                made_with,
                distributions={**alike.distributions, **made_with.distributions},
                data={**alike.data, **made_with.data},
            )
            if msgspec.structs.replace(made_with, started=alike.started) == alike:
                return  # nothing that is not known: fits are many
        self._put("made-with.json", msgspec.json.encode([*(one for one in known if one is not alike), made_with]))

    def start_anew(self) -> None:
        """Forgets all that is finished here."""
        for pattern in ("trials-*", "final-*", "seed-*", "winner.json", "made-with.json", "memory.json"):
            for path in self.root.glob(pattern):
                path.unlink(missing_ok=True)
        self.drop_saved()

    def drop_saved(self, trial: int | None = None) -> None:
        """Removes the saved predictor of a trial, or of all, with what a kill has left half written."""
        for name in ("saved-*", ".saved-*.tmp") if trial is None else (f"saved-{trial}",):
            for path in self.root.glob(name) if trial is None else [self.root / name]:
                shutil.rmtree(path, ignore_errors=True)

    def forget_test(self, test: str) -> None:
        """Forgets what fits of any other test split were made with."""
        kept = [one for one in self.made_with() if one.data.get("test", test) == test]
        self._put("made-with.json", msgspec.json.encode(kept))

    def spent(self) -> float:
        """Returns the seconds of those who took up the cell before, each until the last thing that it finished."""
        try:
            began = [float(line) for line in (self.root / "began").read_text(encoding="ascii").split()]
        except (OSError, ValueError):
            return 0.0
        finished = [path.stat().st_mtime for path in self._finished()]
        total = 0.0
        for start, end in zip(began, [*began[1:], math.inf], strict=True):
            total += max((time - start for time in finished if start <= time < end), default=0.0)
        return total

    def note_test_read(self) -> None:
        """Counts one opening of the test split."""
        with (self.root / "test-reads").open("ab") as file:
            file.write(b".")
            file.flush()
            os.fsync(file.fileno())

    @property
    def test_reads(self) -> int:
        """How often the test split was opened, over all processes that worked on the cell."""
        with suppress(FileNotFoundError):
            return (self.root / "test-reads").stat().st_size
        return 0

    def record(self, cell_id: str, attempt: int) -> Record | None:
        """Returns the finished record of this attempt that was not committed yet, or None."""
        with suppress(FileNotFoundError, msgspec.DecodeError):
            record = msgspec.json.decode((self.root / "record.json").read_bytes(), type=Record)
            return record if (record.cell.id, record.attempt) == (cell_id, attempt) else None
        return None

    def save_record(self, record: Record) -> None:
        """Keeps the finished record until it is committed."""
        write_durably(self.root / "record.json", msgspec.json.encode(record))

    def memory(self) -> Memory:
        """Returns the highest memory that a worker has needed for the cell so far."""
        with suppress(OSError, msgspec.DecodeError):
            return msgspec.json.decode((self.root / "memory.json").read_bytes(), type=Memory)
        return Memory()

    def note_memory(self, memory: Memory) -> None:
        """Notes what a worker needed for an order of the cell."""
        known = self.memory()
        if (highest := most([known, memory])) != known:
            self._put("memory.json", msgspec.json.encode(highest))

    def _put(self, name: str, content: bytes) -> None:
        """Writes a file, whole or not at all while the machine runs: it is not needed to go on."""
        temporary = self.root / f".{name}.{secrets.token_hex(6)}.tmp"
        temporary.write_bytes(content)
        temporary.replace(self.root / name)

    def finished(self) -> int:
        """Returns how many files of finished work there are: what tells a cell that moves on from one that cannot."""
        return sum(1 for _ in self._finished())

    def _finished(self) -> Iterator[Path]:
        for pattern in ("trials-*.json", "final-*.json", "winner.json"):
            yield from self.root.glob(pattern)


def now() -> float:
    """Returns the wall-clock time in seconds."""
    return time.time()


def most(memories: Sequence[Memory]) -> Memory:
    """Returns the highest of what each process needed: they are not added up.

    Of the machine's own memory that of the process that needed most beyond what it had when it began, so that what is
    added to a baseline is never another's.
    """
    host = max(memories, key=_added)
    return Memory(
        host.host_baseline_bytes,
        host.host_peak_bytes,
        _highest(memory.device_allocated_bytes for memory in memories),
        _highest(memory.device_reserved_bytes for memory in memories),
    )


def _added(memory: Memory) -> int:
    # A process that needed nothing beyond its baseline was measured; an empty Memory was not.
    if memory.host_peak_bytes is None:
        return -1
    return max(0, memory.host_peak_bytes - (memory.host_baseline_bytes or 0))


def _highest(values: Iterable[int | None]) -> int | None:
    return max((value for value in values if value is not None), default=None)
