"""What the five tasks share: sizes, seed, and the splits drawn from their frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from tlbench import Examples, SplitName, Task, UsageError
from tlbench_glue.lite.draw import Frame, draw


@dataclass(frozen=True)
class LiteTask(Task):
    """A generated task; its fields are how many examples of each split are drawn, and with which seed.

    Raises:
        UsageError: A size that is not positive.
    """

    train: int = 1024
    validation: int = 256
    test: int = 512
    seed: int = 0

    modality = "text"
    slices = ("phenomenon", "frame")
    frames: ClassVar[Sequence[Frame]] = ()

    def __post_init__(self) -> None:
        for field in ("train", "validation", "test"):
            if getattr(self, field) < 1:
                raise UsageError(f"{self.name}: {field} must be at least 1, not {getattr(self, field)}")

    def split(self, name: SplitName) -> Examples | None:
        """Returns the drawn examples of a split; there is no unlabelled one.

        Raises:
            UsageError: More examples than these words and frames can make.
        """
        if name == "unlabeled":
            return None
        return draw(self.name, self.frames, name, getattr(self, name), self.seed)
