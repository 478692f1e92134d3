"""The amount of labelled data that the fits of a cell may see: all, a number, a share, or so many of each class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ValidationAmount = Literal["limited", "whole"]


@dataclass(frozen=True)
class Amount:
    """How many labelled examples a fit may see; without a limit, a share or shots it sees all.

    Raises:
        ValueError: More than one of the three is given.
    """

    limit: int | None = None
    """Number of training examples."""
    shots: int | None = None
    """Number of training examples of each class."""
    fraction: float | None = None
    """Share of the training examples, above 0 and below 1."""
    validation: ValidationAmount = "limited"
    """With shots or a share: whether validation has as few examples as train, or all."""
    folded: bool = False
    """Whether the examples are taken from train and validation together, to be divided into folds."""

    def __post_init__(self) -> None:
        if sum(one is not None for one in (self.limit, self.shots, self.fraction)) > 1:
            raise ValueError("give one of train_limit, train_fraction and shots")

    def check_with_validation(self) -> None:
        """Checks that it is clear how much there is of train and validation together.

        Raises:
            ValueError: It is not.
        """
        if self.folded:
            return
        if self.limit is not None:
            raise ValueError(
                "train_limit limits the training split, and final=train+validation adds all of validation to it: leave "
                "one out, or set folds, whose limit is of train and validation together"
            )
        if self.validation == "whole" and (self.shots or self.fraction):
            raise ValueError(
                "final=train+validation would add all of validation to a few training examples: leave out "
                "validation=whole, or set final to train"
            )

    @property
    def limits_validation(self) -> bool:
        """Whether trials are validated on a part of the validation split."""
        return (self.shots is not None or self.fraction is not None) and self.validation == "limited"

    @property
    def text(self) -> str:
        """The text "8 shots" or "10% of the training data"; empty without shots or a share."""
        if self.shots is not None:
            return f"{self.shots} shot{'' if self.shots == 1 else 's'}"
        return "" if self.fraction is None else f"{100 * self.fraction:g}% of the training data"


ALL = Amount()
"""All labelled examples."""
