"""Joins the pieces of a task's fits into the grid's two files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from benchmarks.find.grid_files import (
    RUNGS,
    Encoding,
    Grid,
    GridBackbone,
    GridCandidate,
    GridFit,
    GridTask,
)
from benchmarks.find.making.fit_pieces import BackbonePiece, FitPiece

FitKey = tuple[int, int, int]
"""The numbers of candidate and setting, and the seed."""


def best_setting(pieces: Sequence[FitPiece]) -> int:
    """Returns the number of the setting with the most right answers on the whole pool, the first of several.

    A fit without answers has none right.
    """
    return max(range(len(pieces)), key=lambda number: pieces[number].correct[-1])


def assembled(description: GridTask, backbones: Mapping[str, BackbonePiece], fits: Mapping[FitKey, FitPiece]) -> Grid:
    """Returns the grid of a task.

    Args:
        description: The task with its candidates, without backbones, encodings and fits.
        backbones: What is known of each backbone, by name.
        fits: All fits.
    """
    encodings = _Encodings()
    described = tuple(_backbone(name, piece, encodings) for name, piece in backbones.items())
    candidates = tuple(_counted(candidate, backbones) for candidate in description.candidates)
    keys = sorted(fits)
    rows = tuple(_fit(key, fits[key], encodings) for key in keys)
    validation = [[_bits(one, description.validation_rows) for one in fits[key].validation] for key in keys]
    test = [_bits(fits[key].test, description.test_rows) for key in keys]
    task = msgspec.structs.replace(
        description, backbones=described, candidates=candidates, fits=rows, encodings=encodings.found()
    )
    shape = (len(keys), RUNGS, description.validation_rows)
    return Grid(task, np.array(validation, bool).reshape(shape), np.array(test, bool))


class _Encodings:
    """Numbers encodings in the order in which they are first named."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}

    def numbers(self, named: Mapping[str, float]) -> tuple[int, ...]:
        """Returns the numbers of encodings; one that was computed again after a kill keeps its first cost."""
        for name, seconds in named.items():
            self._seconds.setdefault(name, seconds)
        order = {name: number for number, name in enumerate(self._seconds)}
        return tuple(order[name] for name in named)

    def found(self) -> tuple[Encoding, ...]:
        """Returns all encodings."""
        return tuple(Encoding(name, round(seconds, 4)) for name, seconds in self._seconds.items())


def _backbone(name: str, piece: BackbonePiece, encodings: _Encodings) -> GridBackbone:
    return GridBackbone(
        name=name,
        family=piece.family,
        parameters=piece.parameters,
        load_seconds=round(piece.load_seconds, 4),
        feature_scores=piece.feature_scores,
        feature_seconds={score: round(seconds, 4) for score, seconds in piece.feature_seconds.items()},
        encodings=encodings.numbers(piece.encodings),
    )


def _counted(candidate: GridCandidate, backbones: Mapping[str, BackbonePiece]) -> GridCandidate:
    if not candidate.backbone:
        return candidate
    return msgspec.structs.replace(candidate, parameters=backbones[candidate.backbone].parameters)


def _fit(key: FitKey, piece: FitPiece, encodings: _Encodings) -> GridFit:
    candidate, setting, seed = key
    first, second, whole = (round(value, 4) for value in piece.seconds)
    seen_first, seen_second, seen_whole = (round(value, 4) for value in piece.validate_seconds)
    return GridFit(
        candidate=candidate,
        setting=setting,
        seed=seed,
        seconds=(first, second, whole),
        validate_seconds=(seen_first, seen_second, seen_whole),
        setup_seconds=round(piece.setup_seconds, 4),
        encodings=encodings.numbers(piece.encodings),
        answered=piece.answered,
        constant=piece.constant,
        status=piece.status,
        reason=piece.reason,
        steps=piece.steps,
    )


def _bits(packed: bytes, rows: int) -> np.ndarray:
    return np.unpackbits(np.frombuffer(packed, np.uint8), count=rows)
