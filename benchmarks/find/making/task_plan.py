"""The fits of one task of the grid: which there are, and which are made already."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from benchmarks.find.grid_files import GridCandidate, GridTask
from benchmarks.find.making.assembly import FitKey, best_setting
from benchmarks.find.making.candidates import SEEDS
from benchmarks.find.making.fit_pieces import BackbonePiece, FitPiece, Pieces, RowCounts
from tlbench import Cell, Task
from tlbench.contracts.space import Value


@dataclass(frozen=True)
class TaskPlan:
    """A task's candidates and their pieces on disk."""

    name: str
    task: Task
    candidates: tuple[GridCandidate, ...]
    cells: tuple[Cell, ...]
    """The cell of each candidate's fits."""
    pieces: Pieces

    @property
    def count(self) -> int:
        """The number of all fits, made or not."""
        return sum(self.fits_of(number) for number in range(len(self.candidates)))

    def by_backbone(self) -> dict[str, list[int]]:
        """Returns the numbers of each backbone's candidates; the baselines are those of the backbone ""."""
        found: dict[str, list[int]] = {}
        for number, candidate in enumerate(self.candidates):
            found.setdefault(candidate.backbone, []).append(number)
        return found

    def fits_of(self, number: int) -> int:
        """Returns the number of a candidate's fits: all settings at one seed, and the best one at the other seeds."""
        return len(self.candidates[number].settings) + len(SEEDS) - 1

    def keys(self, number: int) -> Iterator[FitKey]:
        """Yields a candidate's fits. Those of the best setting follow once all settings are made, and not before."""
        firsts = [(number, setting, SEEDS[0]) for setting in range(len(self.candidates[number].settings))]
        yield from firsts
        made = [self.fit(key) for key in firsts]
        known = [piece for piece in made if piece is not None]
        if len(known) == len(firsts):
            best = best_setting(known)
            yield from ((number, best, seed) for seed in SEEDS[1:])

    def left(self, number: int) -> int:
        """Returns how many of a candidate's fits are not made yet."""
        return self.fits_of(number) - sum(self.fit(key) is not None for key in self.keys(number))

    def made(self) -> dict[FitKey, FitPiece]:
        """Returns all fits that are made."""
        found = {}
        for number in range(len(self.candidates)):
            for key in self.keys(number):
                if (piece := self.fit(key)) is not None:
                    found[key] = piece
        return found

    def params(self, key: FitKey) -> Mapping[str, Value]:
        """Returns the hyperparameters of a fit."""
        number, setting, _ = key
        return self.candidates[number].settings[setting]

    def fit(self, key: FitKey) -> FitPiece | None:
        """Returns a fit, or None if it is not made yet."""
        return self.pieces.read(self.name, self.fit_name(key), FitPiece)

    def fit_name(self, key: FitKey) -> str:
        """Returns the name of a fit's piece."""
        return self.cells[key[0]].fit_id(self.params(key), key[2])

    def backbone(self, name: str) -> BackbonePiece | None:
        """Returns the measured loading time and feature scores of a backbone, or None if they are not measured yet."""
        return self.pieces.read(self.name, backbone_name(name), BackbonePiece)

    def rows(self) -> RowCounts | None:
        """Returns the sizes of the splits, or None if they are not counted yet."""
        return self.pieces.read(self.name, ROWS, RowCounts)

    def description(self, rows: RowCounts, made_with: dict[str, str]) -> GridTask:
        """Returns the grid's description of the task, without its fits."""
        return GridTask(
            task=self.name,
            modality=self.task.modality,
            classes=len(self.task.output.classes),
            train_rows=rows.train,
            validation_rows=rows.validation,
            test_rows=rows.test,
            backbones=(),
            candidates=self.candidates,
            encodings=(),
            fits=(),
            made_with=made_with,
        )


ROWS = "rows"
"""The name of the piece with the sizes of the splits."""


def backbone_name(name: str) -> str:
    """Returns the name of a backbone's piece."""
    return f"backbone {name}"
