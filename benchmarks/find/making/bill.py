"""Estimates what the grid costs before it is made, from one pass of each backbone over some rows of each task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from benchmarks.find.grid_files import PARTS
from benchmarks.find.making.fit_pieces import RowCounts
from tlbench.contracts.backbone import Backbone
from tlbench.contracts.strategy import Strategy
from tlbench.contracts.task import Modality

BATCH = 16
"""Rows of a training step: the strategies' default."""


class Passes(NamedTuple):
    """The cost per row of what a fit does, in passes over the rows of a sample, as measured on one machine."""

    full: float
    """A training step of all weights."""
    efficient: float
    """A training step of few weights in all stages, such as biases."""
    answer: float
    """An answer; a whole split is padded less than a sample of texts is."""


PASSES: Mapping[Modality, Passes] = {"text": Passes(2.1, 1.5, 0.65), "image": Passes(4.0, 2.5, 1.0)}
SMALL_SECONDS = 0.5
"""What a fit costs apart from passes through the encoder."""


@dataclass(frozen=True)
class Encoded:
    """The cost of a backbone on a task."""

    row_seconds: float
    """Processor seconds to encode one row."""
    stages: int


def fit_seconds(
    strategy: Strategy, backbone: Backbone | None, encoded: Encoded | None, rows: RowCounts, steps: int
) -> float:
    """Returns the processor seconds that one fit takes, with the test split."""
    if backbone is None or encoded is None:
        return SMALL_SECONDS
    trainable, passes = strategy.trainable(backbone), PASSES[backbone.modality]
    share = 1.0 if trainable.stages is None else min(1.0, trainable.stages / encoded.stages)
    trained = steps * BATCH * (passes.full if trainable.parameters is None else passes.efficient)
    answered = (len(PARTS) * rows.validation + rows.test) * passes.answer
    # What is frozen is computed once for all fits, with the rest of the backbone's costs.
    return SMALL_SECONDS + share * (trained + answered) * encoded.row_seconds


def backbone_seconds(encoded: Encoded, rows: RowCounts) -> float:
    """Returns the seconds that all fits of a backbone share: every split encoded for probes and for top stages."""
    return (3 * (rows.train + rows.validation) + 2 * rows.test) * encoded.row_seconds + 1.0


class Bill:
    """The fits that are left and their processor seconds, by task and backbone."""

    def __init__(self) -> None:
        self._fits: dict[tuple[str, str], int] = {}
        self._seconds: dict[tuple[str, str], float] = {}

    def add(self, task: str, backbone: str, fits: int, seconds: float) -> None:
        """Adds the fits of a backbone on a task."""
        self._fits[task, backbone], self._seconds[task, backbone] = fits, seconds

    @property
    def fits(self) -> int:
        """The number of fits that are left."""
        return sum(self._fits.values())

    @property
    def seconds(self) -> float:
        """The processor seconds of all of them."""
        return sum(self._seconds.values())

    def seconds_of_fit(self, task: str, backbone: str) -> float:
        """Returns the mean seconds of the fits of a backbone on a task; 0 if none is on the bill."""
        return self._seconds.get((task, backbone), 0.0) / max(1, self._fits.get((task, backbone), 0))

    def __str__(self) -> str:
        """Returns a table of the minutes of each task and backbone, with the sum of hours."""
        lines = [_line("task", "backbone", "fits", "minutes")]
        for task in dict.fromkeys(task for task, _ in self._fits):
            mine = [key for key in self._fits if key[0] == task]
            lines += [_line(task, backbone or "-", *self._cells([(task, backbone)])) for _, backbone in mine]
            lines.append(_line(task, "all", *self._cells(mine)))
        return "\n".join([*lines, f"{self.fits} fits are left: about {self.seconds / 3600:.1f} hours on one core"])

    def _cells(self, keys: Sequence[tuple[str, str]]) -> tuple[str, str]:
        return str(sum(self._fits[key] for key in keys)), f"{sum(self._seconds[key] for key in keys) / 60:.1f}"


def _line(task: str, backbone: str, fits: str, minutes: str) -> str:
    return f"{task:<14} {backbone:<28} {fits:>5} {minutes:>8}"
