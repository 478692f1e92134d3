"""A cell's work folder: what it has finished so far, kept so that a kill loses at most the fit in progress.

lock                held (flock) by the process that works on the cell; the kernel frees it
study.sqlite        the search
trials-<n>.json     finished fits of the search, by the first trial of their batch
winner.json         the frozen params and seeds; no test split is opened before it is on disk
seed-<s>.json       a finished final fit, with its predictions in seed-<s>.parquet
test-reads          one byte for each time the test split was opened
began               when each process that owned the cell took it up, in Unix time, a line each
cell.json           the cell, for others that ask for the same fits
made-with.json      what the fits here were made with: versions, data, threads, device
progress-<pid>.json what a process that works on it does now, for the live view
record.json         the finished record, until it is committed

Fits that any process may take are posted beside these: see `posts`.
"""

from __future__ import annotations

import fcntl
import math
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from tlbench.contracts.cell import Cell
from tlbench.contracts.record import FitResult, Provenance, Record
from tlbench.contracts.space import Value
from tlbench.results.durable import write_durably


class Winner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is frozen before the test split is opened."""

    params: dict[str, Value]
    seeds: tuple[int, ...]
    trial: int
    validation: float | None


class Progress(msgspec.Struct, frozen=True):
    """What a worker does now."""

    pid: int
    title: str
    phase: str
    since: float
    """Unix time at which the cell began."""


class WorkFolder:
    """The files of one cell at work."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def lease(self) -> Iterator[None]:
        """Waits until no other process works on the cell, and holds it; freed by the kernel on any death."""
        handle = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    @property
    def study(self) -> Path:
        """The study's sqlite file."""
        return self.root / "study.sqlite"

    def trials(self) -> dict[int, FitResult]:
        """Returns the finished fits of the search, by trial."""
        found: dict[int, FitResult] = {}
        for path in self.root.glob("trials-*.json"):
            for result in msgspec.json.decode(path.read_bytes(), type=list[FitResult]):
                found[result.trial] = result
        return dict(sorted(found.items()))

    def has_trial(self, trial: int) -> bool:
        """Says whether a fit of the search is finished."""
        return (self.root / f"trials-{trial}.json").exists() or trial in self.trials()

    def save_trials(self, results: list[FitResult]) -> None:
        """Keeps the fits of one batch, all or none."""
        write_durably(self.root / f"trials-{results[0].trial}.json", msgspec.json.encode(results))

    def winner(self) -> Winner | None:
        """Returns the frozen winner, or None while the search goes on."""
        with suppress(FileNotFoundError):
            return msgspec.json.decode((self.root / "winner.json").read_bytes(), type=Winner)
        return None

    def freeze(self, winner: Winner) -> None:
        """Puts the winner on disk; from here on the test split may be opened."""
        write_durably(self.root / "winner.json", msgspec.json.encode(winner))

    def final(self, seed: int) -> FitResult | None:
        """Returns the finished final fit of a seed, or None."""
        with suppress(FileNotFoundError):
            return msgspec.json.decode((self.root / f"seed-{seed}.json").read_bytes(), type=FitResult)
        return None

    def save_final(self, result: FitResult) -> None:
        """Keeps a final fit; its predictions must be on disk."""
        write_durably(self.root / f"seed-{result.seed}.json", msgspec.json.encode(result))

    def finals(self) -> list[FitResult]:
        """Returns the finished final fits."""
        paths = self.root.glob("seed-*.json")
        return [msgspec.json.decode(path.read_bytes(), type=FitResult) for path in paths]

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
        self._put("made-with.json", msgspec.json.encode([*(one for one in known if one is not alike), made_with]))

    def start_anew(self) -> None:
        """Forgets all that is finished here."""
        for pattern in ("trials-*", "seed-*", "fit-*", "kept-*", "winner.json", "made-with.json", "study.sqlite*"):
            for path in self.root.glob(pattern):
                path.unlink(missing_ok=True)

    def drop_finals_but_of(self, test: str) -> None:
        """Forgets the final fits if some of them answered a test split of another fingerprint."""
        known = self.made_with()
        if kept := [one for one in known if one.data.get("test", test) == test]:
            if len(kept) == len(known):
                return
            self._put("made-with.json", msgspec.json.encode(kept))
        for path in self.root.glob("seed-*"):
            path.unlink(missing_ok=True)

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
        self.hush(everyone=True)

    def _put(self, name: str, content: bytes) -> None:
        """Writes a file, whole or not at all while the machine runs: it is not needed to go on."""
        temporary = self.root / f".{name}.{secrets.token_hex(6)}.tmp"
        temporary.write_bytes(content)
        temporary.replace(self.root / name)

    def say(self, title: str, phase: str, since: float) -> None:
        """Tells the live view what this process does; nothing depends on it, so nothing is synced or raised."""
        temporary = self.root / f".progress.{os.getpid()}"
        with suppress(OSError):
            temporary.write_bytes(msgspec.json.encode(Progress(os.getpid(), title, phase, since)))
            temporary.replace(self.root / f"progress-{os.getpid()}.json")

    def hush(self, everyone: bool = False) -> None:
        """Tells the live view that this process, or everyone, does nothing here any more."""
        with suppress(OSError):
            for path in self.root.glob("progress-*.json" if everyone else f"progress-{os.getpid()}.json"):
                path.unlink(missing_ok=True)

    def progress(self) -> list[Progress]:
        """Returns what each process that works on the cell does."""
        found = []
        for path in self.root.glob("progress-*.json"):
            with suppress(OSError, msgspec.DecodeError):
                found.append(msgspec.json.decode(path.read_bytes(), type=Progress))
        return found

    def finished(self) -> int:
        """Returns how many files of finished work there are: what tells a cell that moves on from one that cannot."""
        return sum(1 for _ in self._finished())

    def _finished(self) -> Iterator[Path]:
        for pattern in ("trials-*.json", "seed-*.json", "winner.json"):
            yield from self.root.glob(pattern)


def now() -> float:
    """Returns the wall-clock time in seconds."""
    return time.time()
