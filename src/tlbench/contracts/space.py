"""Search spaces: the hyperparameters that a strategy declares, and how a suite fixes or narrows them.

    >>> space = {"lr": Float(1e-5, 1e-3, log=True), "depth": Int(1, 4), "pooling": Choice(("mean", "cls"))}
    >>> narrow(space, {"depth": 2})["depth"]
    Choice(values=(2,))

Optuna is not imported here, so a plugin that only declares a space stays light.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec

Value: TypeAlias = bool | int | float | str


# The domains have tags, since JSON could not tell a Float from an Int with the same ends.
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
    """One of several values; with a single value the hyperparameter is fixed.

    Raises:
        ValueError: There are no values.
    """

    values: tuple[Value, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError("a choice needs at least one value")


Domain: TypeAlias = Float | Int | Choice
Space: TypeAlias = dict[str, Domain]


class Range(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A narrower range of a numeric hyperparameter in a suite file, as `{low, high, log}`.

    A key that is left out (None) keeps the strategy's value.
    """

    low: float | None = None
    high: float | None = None
    log: bool | None = None


Override: TypeAlias = Value | Range | list[Value]
"""A value under `[space.<strategy>]` of a suite: a fixed value, a range, or a list of choices."""


def narrow(space: Space, overrides: Mapping[str, Override]) -> Space:
    """Returns the space with the overrides of a suite applied.

    Raises:
        ValueError: A hyperparameter that the space does not have, or an override of the wrong type or range; the
            message begins with the hyperparameter's name.
    """
    # Refused, not ignored: a misspelt name in a suite would otherwise run the strategy's whole space.
    unknown = sorted(set(overrides) - set(space))
    if unknown:
        known = ", ".join(sorted(space)) or "nothing"
        raise ValueError(f"{unknown[0]}: no such hyperparameter; the strategy has {known}")
    narrowed = dict(space)
    for name, override in overrides.items():
        try:
            narrowed[name] = _narrow_one(space[name], override)
        except (ValueError, TypeError, msgspec.ValidationError) as error:
            raise ValueError(f"{name}: {error}") from None
    return narrowed


def is_fixed(domain: Domain) -> bool:
    """Returns whether a domain has a single value, so that there is nothing to search."""
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
        # Not strict, since a Range holds floats and 1.0 is a valid end of an Int.
        return msgspec.convert(fields, type(domain), strict=False)
    values = tuple(override) if isinstance(override, list) else (override,)
    return Choice(tuple(_typed(domain, value) for value in values))


def _typed(domain: Domain, value: Value) -> Value:
    if isinstance(domain, Choice):
        types = {type(known) for known in domain.values}
        # type(), not isinstance(): a bool is an int to Python, and True must not replace 1.
        if type(value) in types:
            return value
        if float in types and type(value) is int:
            return float(value)
        raise ValueError(f"{value!r} is not of the type of {domain.values[0]!r}")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{value!r} is not a number")
    if not math.isfinite(value):
        raise ValueError(f"{value!r} is not finite")
    if isinstance(domain, Int):
        if int(value) != value:
            raise ValueError(f"{value!r} is not a whole number")
        return int(value)
    return float(value)
