"""Base class of the generated tasks: split sizes, the seed, and the frames that examples are drawn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from tlbench import Examples, SplitName, Task, UsageError
from tlbench_glue.lite.draw import Frame, draw


@dataclass(frozen=True)
class LiteTask(Task):
    """A generated task; its params are the number of examples of each split and the seed.

    Raises:
        UsageError: A size is not positive.
    """

    train: int = 1024
    validation: int = 256
    test: int = 512
    seed: int = 0

    modality = "text"
    licence = "Apache-2.0"
    slices = ("phenomenon", "frame")
    group = "sentence template"
    frames: ClassVar[Sequence[Frame]] = ()

    def __post_init__(self) -> None:
        for field in ("train", "validation", "test"):
            if getattr(self, field) < 1:
                raise UsageError(f"{self.name}: {field} must be at least 1, not {getattr(self, field)}")

    @property
    def sizes(self) -> Mapping[str, int]:  # type: ignore[override]
        """Number of examples of each split."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    def split(self, name: SplitName) -> Examples | None:
        """Returns the examples of a split, or None for the unlabelled split, which generated tasks do not have.

        Raises:
            UsageError: The frames give fewer distinct examples than the split needs.
        """
        if name == "unlabeled":
            return None
        return draw(self.name, self.frames, name, getattr(self, name), self.seed)
