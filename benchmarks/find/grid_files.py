"""The files of the grid: for each task, a JSON file that describes its fits and a NumPy file of their correct answers.

`<task>.json` holds a `GridTask`. `<task>.npz` holds two arrays of bits, eight to a byte, in the order of
`GridTask.fits`: `validation`, of shape (fits, 3, rows of the validation pool), and `test`, of shape (fits, test rows).
A bit is 1 where the fit's answer is right.

A replay draws its validation rows from the pool, and charges a fit at a rung

    seconds[rung] + share * validate_seconds[rung] + setup_seconds + the encodings that it is the first to read

processor seconds, where `share` is the part of the pool that was drawn: the cost of a fit that ends at the rung.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from tlbench import DataError
from tlbench.contracts.policies.policy import Role
from tlbench.system.durable import write_durably

FORMAT = 1
PARTS: tuple[int | None, ...] = (8, 2, None)
"""The rungs, as `Proposal.part` names them: an eighth of the steps, half of them, and all."""
RUNGS = len(PARTS)

Status = Literal["ok", "diverged", "failed", "oom"]
Three = tuple[float, float, float]


class Encoding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Activations of frozen stages: computed once in a search, and shared by all fits that read them."""

    name: str
    """The backbone, the split and the number of stages, for readers."""
    seconds: float
    """Processor seconds."""


class GridBackbone(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of a backbone on a task without fitting it."""

    name: str
    family: str
    parameters: int
    load_seconds: float
    """Processor seconds to load the weights, which a search pays once."""
    feature_scores: dict[str, float] = {}
    """Scores of the features of the training split, greater is better: `knn`, `h-score` and `logme`. Only policies that
    are compared with ours use them."""
    feature_seconds: dict[str, float] = {}
    """Processor seconds of each score, without the encodings."""
    encodings: tuple[int, ...] = ()
    """Indices in `GridTask.encodings` of what the scores read."""


class GridCandidate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A backbone with a strategy, or a baseline; its index is `Candidate.number`."""

    strategy: str
    role: Role
    settings: tuple[dict[str, int | float | str | bool], ...]
    """The params of each setting; the first are the strategy's defaults."""
    backbone: str = ""
    family: str = ""
    """`Strategy.family`."""
    parameters: int = 0


class GridFit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One fit. Of values by rung the first belongs to an eighth of the steps, the second to half, the third to all.

    A strategy that trains in no steps has the same values at each rung.
    """

    candidate: int
    setting: int
    seed: int
    seconds: Three
    """By rung, processor seconds of training until then, without set-up, encoding and validation."""
    validate_seconds: Three
    """By rung, processor seconds to answer the validation pool there, which a fit does once: where it ends."""
    setup_seconds: float = 0.0
    encodings: tuple[int, ...] = ()
    """Indices in `GridTask.encodings` of what the fit reads."""
    answered: tuple[bool, bool, bool] = (True, True, True)
    """Whether there are answers at each rung; a fit that diverged has none from there on."""
    constant: tuple[bool, bool, bool] = (False, False, False)
    """Whether all answers of the validation pool are the same class."""
    status: Status = "ok"
    reason: str = ""
    steps: int = 0
    """Optimiser steps; 0 for a strategy that trains in none."""


class GridTask(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All fits of a task."""

    task: str
    modality: Literal["text", "image"]
    classes: int
    train_rows: int
    validation_rows: int
    """Rows of the validation pool."""
    test_rows: int
    backbones: tuple[GridBackbone, ...]
    candidates: tuple[GridCandidate, ...]
    encodings: tuple[Encoding, ...]
    fits: tuple[GridFit, ...]
    """Seed 0 of every setting, and two more seeds of each candidate's best setting on the whole pool."""
    made_with: dict[str, str] = {}
    """The processor, and versions of the libraries."""
    format: int = FORMAT


@dataclass(frozen=True, eq=False)
class Grid:
    """A task's fits with their answers."""

    task: GridTask
    validation: NDArray[np.bool_]
    """Whether each answer of the validation pool is right, (fits, 3, validation rows)."""
    test: NDArray[np.bool_]
    """Whether each answer of the test split at full length is right, (fits, test rows)."""

    @cached_property
    def index(self) -> dict[tuple[int, int, int], int]:
        """The index of each fit by candidate, setting and seed."""
        return {(fit.candidate, fit.setting, fit.seed): number for number, fit in enumerate(self.task.fits)}


def rung_of(part: int | None) -> int:
    """Returns the index of a proposal's part in values by rung.

    Raises:
        ValueError: The grid has no such rung.
    """
    return PARTS.index(part)


def write_grid(grid: Grid, folder: Path) -> None:
    """Writes a task's two files.

    Raises:
        DataError: The parts of the grid do not belong together.
    """
    check_grid(grid, grid.task.task)
    folder.mkdir(parents=True, exist_ok=True)
    packed = {"validation": np.packbits(grid.validation, axis=-1), "test": np.packbits(grid.test, axis=-1)}
    with (folder / f"{grid.task.task}.npz").open("wb") as file:
        np.savez_compressed(file, **packed)
    # Written last: a task whose JSON is there is complete.
    text = msgspec.json.format(msgspec.json.encode(grid.task), indent=1)
    write_durably(folder / f"{grid.task.task}.json", text + b"\n")


def read_grids(folder: Path) -> dict[str, Grid]:
    """Returns the grids of all tasks in a folder, by task in alphabetical order.

    Raises:
        DataError: There are none, or a file is damaged or of another format.
    """
    names = sorted(path.stem for path in folder.glob("*.json"))
    if not names:
        raise DataError(f"{folder}: no grid is here; make one by `python -m benchmarks.find.make_grid`")
    return {name: read_grid(folder, name) for name in names}


def read_grid(folder: Path, task: str) -> Grid:
    """Returns the grid of a task.

    Raises:
        DataError: A file is absent, damaged or of another format.
    """
    path = folder / f"{task}.json"
    try:
        described = msgspec.json.decode(path.read_bytes(), type=GridTask)
        with np.load(path.with_suffix(".npz"), allow_pickle=False) as file:
            packed = {name: file[name] for name in ("validation", "test")}
    except (OSError, ValueError, KeyError, msgspec.MsgspecError) as error:
        raise DataError(f"{path}: this grid cannot be read: {' '.join(str(error).split())}") from error
    rows = {"validation": described.validation_rows, "test": described.test_rows}
    for name, bits in packed.items():
        if bits.dtype != np.uint8 or not bits.ndim or bits.shape[-1] != math.ceil(rows[name] / 8):
            raise DataError(f"{path.with_suffix('.npz')}: {name} is not of {rows[name]} rows, eight to a byte")
    answers = {name: np.unpackbits(bits, axis=-1, count=rows[name]).astype(bool) for name, bits in packed.items()}
    grid = Grid(described, answers["validation"], answers["test"])
    check_grid(grid, str(path))
    return grid


def check_grid(grid: Grid, name: str) -> None:
    """Checks that the parts of a grid belong together.

    Raises:
        DataError: They do not; the message begins with the name.
    """
    task, fits = grid.task, len(grid.task.fits)
    if task.format != FORMAT:
        raise DataError(f"{name}: this grid has format {task.format}, and this version of tlbench reads {FORMAT}")
    shapes = {
        "validation": (grid.validation.shape, (fits, RUNGS, task.validation_rows)),
        "test": (grid.test.shape, (fits, task.test_rows)),
    }
    for part, (shape, wanted) in shapes.items():
        if shape != wanted:
            raise DataError(f"{name}: the shape of {part} is {shape}, and that of its fits is {wanted}")
    if len(grid.index) != fits:
        raise DataError(f"{name}: a fit is there twice")
    for number, fit in enumerate(task.fits):
        if problem := _problem(task, fit):
            raise DataError(f"{name}: fit {number}: {problem}")
    known = {backbone.name for backbone in task.backbones}
    for number, candidate in enumerate(task.candidates):
        if candidate.backbone and candidate.backbone not in known:
            raise DataError(f"{name}: candidate {number}: the backbone {candidate.backbone} is not described")
        for setting in range(len(candidate.settings)):
            if (number, setting, 0) not in grid.index:
                raise DataError(f"{name}: candidate {number}: setting {setting} was not fitted with seed 0")


def _problem(task: GridTask, fit: GridFit) -> str:
    """Returns the first error in a fit's description as a text; empty if there is none."""
    if not 0 <= fit.candidate < len(task.candidates):
        return f"there is no candidate {fit.candidate}"
    if not 0 <= fit.setting < len(task.candidates[fit.candidate].settings):
        return f"candidate {fit.candidate} has no setting {fit.setting}"
    if any(not 0 <= number < len(task.encodings) for number in fit.encodings):
        return "it reads an encoding that is not described"
    if not all(math.isfinite(value) and value >= 0 for value in (*fit.seconds, *fit.validate_seconds)):
        return "seconds must be numbers of at least 0"
    if sorted(fit.seconds) != list(fit.seconds):
        return "its seconds by rung must not fall"
    if (fit.status == "ok") != fit.answered[-1]:
        return f"its status is {fit.status}, and it has {'' if fit.answered[-1] else 'no '}answers at full length"
    return ""
