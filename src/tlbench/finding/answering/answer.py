"""The answer of a search, as it is stored in `answer.json`."""

from __future__ import annotations

import msgspec

from tlbench.contracts.space import Value
from tlbench.finding.answering.deciding_labels import DecidingLabels
from tlbench.finding.request import FORMAT, FindRequest


class Interval(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A score with its 95% interval."""

    value: float
    low: float
    high: float
    of: str
    """What the interval is of: "the strategy" with three seeds or more, else "this fit" or "these fits"."""


class FoundSetting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A backbone with a strategy and its hyperparameters."""

    backbone: str
    """Empty for a baseline."""
    strategy: str
    params: dict[str, Value]
    validation: float
    """The validation score of the search's fit, with the metric's own sign."""
    seconds: float
    """Seconds of that fit."""
    parameters: int | None
    """Number of parameters of the backbone; 0 without one, None if it is unknown."""
    trainable_parameters: int = 0
    fit: int = 0
    """Number of the fit in the search."""
    cell: str = ""
    """The id of the cell of its final fits; empty without one."""
    seeds: int = 0
    """Number of final fits."""
    test: Interval | None = None
    """The score on the test split; None if it was not scored."""
    is_constant: bool = False
    reason: str = ""
    """Why there is no test score, in one line."""

    @property
    def title(self) -> str:
        """Backbone, strategy and hyperparameters."""
        names = " | ".join(name for name in (self.backbone, self.strategy) if name)
        values = ", ".join(f"{name}={_text(value)}" for name, value in self.params.items())
        return f"{names} ({values})" if values else names


class Spent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The fits and seconds that the search spent on one candidate."""

    candidate: str
    fits: int
    stopped: int
    """How many of them were stopped early, by the policy's order."""
    seconds: float
    best: float | None = None
    """The best validation score of a fit of full length."""
    status: str = ""
    """What went wrong, such as "constant" or "diverged"; empty if nothing did."""


class Untried(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A candidate without a fit of full length, and why."""

    candidate: str
    reason: str


class Optimistic(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The winner's validation score minus its test score: what choosing the best of many fits adds by chance."""

    value: float
    low: float | None
    high: float | None
    chosen_from: int
    """Number of fits of full length that the winner was the best of."""


class FindAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The answer of a search: its winner, what ties with it, and what it cost."""

    request: FindRequest
    metric: str
    greater_is_better: bool
    points: float
    """The factor by which tables multiply scores: 100 or 1."""
    train_rows: int
    validation_rows: int
    max_steps: int | None
    winner: FoundSetting | None
    """The setting with the best validation score; None if no fit has a score."""
    tied: tuple[FoundSetting, ...] = ()
    """Settings that a paired test on validation answers does not tell from the winner, the best score first."""
    cheapest: FoundSetting | None = None
    smallest: FoundSetting | None = None
    baseline: FoundSetting | None = None
    deciding: DecidingLabels | None = None
    """How many more labels would tell the winner from the rival."""
    rival: str = ""
    """The title of the setting that `deciding` compares with the winner."""
    optimism: Optimistic | None = None
    search_seconds: float = 0.0
    final_seconds: float = 0.0
    spent: tuple[Spent, ...] = ()
    untried: tuple[Untried, ...] = ()
    excluded: tuple[Untried, ...] = ()
    """Candidates that filters and plugins left out before the search."""
    notes: tuple[str, ...] = ()
    costs_close: float | None = None
    """The share of fits whose expected seconds were within 25% of the measured ones."""
    format: int = FORMAT

    @property
    def seconds(self) -> float:
        """The seconds of search and finals."""
        return self.search_seconds + self.final_seconds


def _text(value: Value) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
