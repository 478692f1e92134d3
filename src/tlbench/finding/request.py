"""The request of `tlbench find`: task, budget and choice of candidates; its identity names the folder of the search."""

from __future__ import annotations

import math
import re
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from tlbench.contracts.cell import Precision
from tlbench.contracts.errors import UsageError
from tlbench.contracts.identity.digests import digest
from tlbench.contracts.metric import Metric

FORMAT = 1
"""Version of the files of a search."""
_CONDITION = re.compile(r"\s*([\w.-]+)\s*(>=|<=|>|<)\s*([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)\s*")


class FindRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Everything that decides how a search goes; a search with an equal request goes on where it was stopped."""

    task: str
    """Canonical name of the task."""
    minutes: Annotated[float, Meta(gt=0)]
    backbones: tuple[str, ...] = ()
    """Names and patterns; empty for all backbones on this machine."""
    strategies: tuple[str, ...] = ()
    """Empty for one strategy of each usual family."""
    policy: str = "race"
    until: str = ""
    """A condition on the validation score, such as "accuracy>0.9", that ends the search early."""
    max_parameters: int | None = None
    max_memory: str = ""
    """A size such as "8GiB", as it was given."""
    licences: tuple[str, ...] = ()
    """Patterns of licences, of which one must match."""
    max_latency_ms: float | None = None
    max_steps: int | None = None
    train_limit: int | None = None
    precision: Precision = "auto"
    seed: int = 0

    @property
    def id(self) -> str:
        """Eight hex digits, equal for equal requests."""
        return digest(msgspec.json.encode((FORMAT, self)))[:8]

    @property
    def seconds(self) -> float:
        """The budget in seconds."""
        return self.minutes * 60

    def check(self) -> None:
        """Checks the budget.

        Raises:
            UsageError: The budget is not a positive, finite number of minutes.
        """
        if not (self.minutes > 0 and math.isfinite(self.minutes)):
            raise UsageError(f"--minutes {self.minutes:g}: a search needs more than 0 minutes; give for example 10")


class StopCondition(NamedTuple):
    """A condition on the validation score."""

    operator: str
    value: float

    def holds(self, score: float) -> bool:
        """Returns whether a validation score meets the condition."""
        above, below = score > self.value, score < self.value
        return {">": above, ">=": not below, "<": below, "<=": not above}[self.operator]


def read_condition(text: str, metric: Metric) -> StopCondition | None:
    """Returns the condition in a text such as "accuracy>0.9", or None if the text is empty.

    Raises:
        UsageError: The text is no condition, or its metric is not the one by which the task's fits are compared.
    """
    if not text:
        return None
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise UsageError(f"--until {text}: write a metric, a comparison and a number, as in '{metric.name}>0.9'")
    if match[1] != metric.name:
        raise UsageError(f"--until {text}: fits are compared by {metric.name}: give a condition on it")
    try:
        condition = StopCondition(match[2], float(match[3]))
    except ValueError:
        raise UsageError(f"--until {text}: {match[3]} is not a number") from None
    if metric.highest is not None and condition.value > metric.highest:
        raise UsageError(f"--until {text}: {metric.name} is at most {metric.highest:g}; write for example 0.9")
    return condition


def parse_milliseconds(text: str, source: str) -> float:
    """Returns the milliseconds in a text such as "20ms", "0.5s" or "20", which counts milliseconds.

    Raises:
        UsageError: The text is not a positive time.
    """
    match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*(ms|s)?\s*", text)
    value = float(match[1]) * (1000 if match[2] == "s" else 1) if match else 0.0
    if not value > 0:
        raise UsageError(f"{source} {text}: not a time; write for example 20ms")
    return value
