"""The results of single fits on disk, one file each, so that a kill loses at most the fit that was running."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from benchmarks.find.grid_files import Status, Three
from tlbench import UsageError
from tlbench.system.durable import write_durably


class FitPiece(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One fit, with its costs and its correct answers; values by rung are those of `GridFit`."""

    title: str
    status: Status
    seconds: Three
    validate_seconds: Three
    setup_seconds: float
    encodings: dict[str, float]
    """Processor seconds of the activations that the fit reads, by name."""
    answered: tuple[bool, bool, bool]
    constant: tuple[bool, bool, bool]
    correct: tuple[float, float, float]
    """Share of right answers of the validation pool at each rung."""
    test_correct: float
    validation: tuple[bytes, bytes, bytes]
    """At each rung a bit for each row of the validation pool, eight to a byte."""
    test: bytes
    """A bit for each test row."""
    worked_seconds: float
    """Processor seconds that making this piece took, with the test split."""
    steps: int = 0
    reason: str = ""
    traceback: str = ""


class BackbonePiece(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `GridBackbone` says of a backbone on a task."""

    family: str
    parameters: int
    load_seconds: float
    feature_scores: dict[str, float]
    feature_seconds: dict[str, float]
    encodings: dict[str, float]
    worked_seconds: float


class RowCounts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The sizes of a task's splits."""

    train: int
    validation: int
    test: int


Piece = TypeVar("Piece", FitPiece, BackbonePiece, RowCounts)


@dataclass(frozen=True)
class Pieces:
    """The folder of the pieces: a folder for each task."""

    folder: Path

    def read(self, task: str, name: str, kind: type[Piece]) -> Piece | None:
        """Returns a piece, or None if it was not made yet.

        Raises:
            UsageError: The file is damaged.
        """
        path = self.path(task, name)
        try:
            return msgspec.json.decode(path.read_bytes(), type=kind)
        except FileNotFoundError:
            return None
        except msgspec.MsgspecError as error:
            raise UsageError(f"{path}: {error}; delete this file, and it is made again") from None

    def write(self, task: str, name: str, piece: Piece) -> None:
        """Stores a piece; the file is complete or absent, whatever happens."""
        path = self.path(task, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, msgspec.json.encode(piece))

    def path(self, task: str, name: str) -> Path:
        """Returns the path of a piece's file; what a file name may not hold becomes a hyphen."""
        return self.folder / task / f"{re.sub(r'[^A-Za-z0-9.]+', '-', name).strip('-')}.json"

    def check_definition(self, definition: Mapping[str, str]) -> None:
        """Stores what the pieces are made of, or compares it with what is stored.

        Args:
            definition: A text for each task, and for what all tasks share.

        Raises:
            UsageError: The folder's pieces were made otherwise.
        """
        path = self.folder / "definition.json"
        known = msgspec.json.decode(path.read_bytes(), type=dict[str, str]) if path.is_file() else {}
        for name, text in definition.items():
            if known.get(name, text) != text:
                raise UsageError(
                    f"{self.folder}: its fits of {name} were made with {known[name]}, and not with {text}: choose "
                    "another folder by --raw"
                )
        self.folder.mkdir(parents=True, exist_ok=True)
        write_durably(path, msgspec.json.encode({**known, **definition}))
