"""A published score, with its source, and the cell that repeats its setting."""

from __future__ import annotations

import math
from typing import Annotated

import msgspec
from msgspec import Meta

Text = Annotated[str, Meta(min_length=1, max_length=500)]
# Of the characters of addresses, those that end no link, cell of a table or attribute in any format.
Url = Annotated[str, Meta(pattern=r"^https?://[A-Za-z0-9._~:/?#@!$&*+,;=%-]+\Z", max_length=500)]


class PublishedScore(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A score as it was published, in the unit of the metric: an accuracy of 79.75% is 0.7975.

    Raises:
        ValueError: A number is not finite, or a spread is negative, or both spreads are given.
    """

    metric: Text
    """The name of the metric."""
    value: float
    """The score, in the unit of the metric."""
    std: float | None = None
    """The standard deviation over the published repetitions, such as draws of the training examples."""
    stderr: float | None = None
    """The standard error of `value`."""
    setting: Text
    """How the score was measured: the examples, what was fitted and with which settings."""
    differs: Annotated[str, Meta(max_length=500)] = ""
    """What is known to differ in the cell that repeats the setting."""
    source: Text
    """The publication: authors, title, year."""
    url: Url
    """Where the number stands."""

    def __post_init__(self) -> None:
        spreads = [one for one in (self.std, self.stderr) if one is not None]
        if not all(map(math.isfinite, (self.value, *spreads))) or any(one < 0 for one in spreads):
            raise ValueError("a published score and its spread must be finite, and the spread 0 or more")
        if len(spreads) > 1:
            raise ValueError("give std or stderr, not both")


class Reference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A published score and the cell that repeats its setting."""

    cell: str
    """The cell's id."""
    score: PublishedScore
