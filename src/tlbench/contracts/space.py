"""A search space: what a strategy lets the study choose, and how a suite narrows it.

Free of optuna, so that plugins that only declare a space import nothing heavy.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec

Value: TypeAlias = bool | int | float | str


class Float(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="float"):
    """A real number in [low, high], drawn on a log scale if `log`.

    Raises:
        ValueError: low > high, a bound is not finite, or log with low <= 0.
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            raise ValueError("bounds must be finite")
        _check_range(self.low, self.high, self.log)


class Int(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="int"):
    """An integer in [low, high], both included, drawn on a log scale if `log`.

    Raises:
        ValueError: low > high, or log with low <= 0.
    """

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        _check_range(self.low, self.high, self.log)


class Choice(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="choice"):
    """One of several values; of one value, it is fixed.

    Raises:
        ValueError: There is nothing to choose from.
    """

    values: tuple[Value, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError("a choice needs at least one value")


Domain: TypeAlias = Float | Int | Choice
Space: TypeAlias = dict[str, Domain]


class Range(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a suite file narrows a number: `{low, high, log}`, each optional."""

    low: float | None = None
    high: float | None = None
    log: bool | None = None


Override: TypeAlias = Value | Range | list[Value]
"""What may stand under `[space.<strategy>]`: a fixed value, a range, or a list to choose from."""


def narrow(space: Space, overrides: Mapping[str, Override]) -> Space:
    """Returns the space with a suite's fixed and narrowed domains put in.

    Raises:
        ValueError: A name that the space lacks, or a domain that does not fit; the message names it.
    """
    unknown = sorted(set(overrides) - set(space))
    if unknown:
        known = ", ".join(sorted(space)) or "nothing"
        raise ValueError(f"{unknown[0]}: no such hyperparameter; there is {known}")
    narrowed = dict(space)
    for name, override in overrides.items():
        try:
            narrowed[name] = _narrow_one(space[name], override)
        except (ValueError, TypeError, msgspec.ValidationError) as error:
            raise ValueError(f"{name}: {error}") from None
    return narrowed


def is_fixed(domain: Domain) -> bool:
    """Says whether there is nothing to search."""
    if isinstance(domain, Choice):
        return len(domain.values) == 1
    return domain.low == domain.high


def _check_range(low: float, high: float, log: bool) -> None:
    if low > high:
        raise ValueError(f"low {low} is above high {high}")
    if log and low <= 0:
        raise ValueError(f"a log scale needs low above 0, not {low}")


def _narrow_one(domain: Domain, override: Override) -> Domain:
    if isinstance(override, Range):
        if isinstance(domain, Choice):
            raise ValueError("a choice takes a value or a list, not a range")
        changes: dict[str, Any] = {k: v for k, v in msgspec.structs.asdict(override).items() if v is not None}
        fields = {**msgspec.structs.asdict(domain), **changes}
        return msgspec.convert(fields, type(domain), strict=False)
    values = tuple(override) if isinstance(override, list) else (override,)
    return Choice(tuple(_typed(domain, value) for value in values))


def _typed(domain: Domain, value: Value) -> Value:
    if isinstance(domain, Choice):
        kinds = {type(known) for known in domain.values}
        if type(value) in kinds:
            return value
        if float in kinds and type(value) is int:
            return float(value)
        raise ValueError(f"{value!r} is not of the kind of {domain.values[0]!r}")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{value!r} is not a number")
    if not math.isfinite(value):
        raise ValueError(f"{value!r} is not finite")
    if isinstance(domain, Int):
        if int(value) != value:
            raise ValueError(f"{value!r} is not a whole number")
        return int(value)
    return float(value)
