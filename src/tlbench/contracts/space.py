"""Search spaces: the hyperparameters that a strategy declares, and how a suite fixes or narrows them.

    >>> space = {"lr": Float(1e-5, 1e-3, log=True), "depth": Int(1, 4), "pooling": Choice(("mean", "cls"))}
    >>> narrow(space, {"depth": 2})["depth"]
    Choice(values=(2,))

A hyperparameter can depend on the choice of another one: it is then in a trial's params only if that one has the value.

    >>> space = {"optimizer": Choice(("adamw", "sgd")), **When("optimizer", "sgd", momentum=Float(0.5, 0.99))}
    >>> [sorted(existing(space, {"optimizer": name, "momentum": 0.9})) for name in ("adamw", "sgd")]
    [['optimizer'], ['momentum', 'optimizer']]

Optuna is not imported here, so a plugin that only declares a space stays light.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec

from tlbench.contracts.errors import PluginError

Value: TypeAlias = bool | int | float | str
"""A value of a hyperparameter."""


class ParentCondition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A condition of a hyperparameter: its parent is in the params and has one of these values."""

    parent: str
    values: tuple[Value, ...]

    def holds(self, params: Mapping[str, Value]) -> bool:
        """Returns whether these params meet the condition."""
        return self.parent in params and _is_among(params[self.parent], self.values)

    def __str__(self) -> str:
        return f"{self.parent} is {' or '.join(map(str, self.values))}"


# With the defaults left out, a domain without conditions has the same text as before there were conditions.
class _Domain(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, repr_omit_defaults=True):
    """The settings that all domains share."""


# The domains have tags, since JSON could not tell a Float from an Int with the same ends.
class Float(_Domain, frozen=True, tag="float"):
    """A real number in [low, high], drawn on a log scale if `log`.

    Raises:
        ValueError: low > high, a bound is not finite, or log with low <= 0.
    """

    low: float
    high: float
    log: bool = False
    when: tuple[ParentCondition, ...] = ()
    """The conditions under which the hyperparameter exists, from `When`; all of them must hold."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            raise ValueError("bounds must be finite")
        _check_range(self.low, self.high, self.log)


class Int(_Domain, frozen=True, tag="int"):
    """An integer in [low, high], both included, drawn on a log scale if `log`.

    Raises:
        ValueError: low > high, or log with low <= 0.
    """

    low: int
    high: int
    log: bool = False
    when: tuple[ParentCondition, ...] = ()

    def __post_init__(self) -> None:
        _check_range(self.low, self.high, self.log)


class Choice(_Domain, frozen=True, tag="choice"):
    """One of several values; with a single value the hyperparameter is fixed.

    Raises:
        ValueError: There are no values.
    """

    values: tuple[Value, ...]
    when: tuple[ParentCondition, ...] = ()

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError("a choice needs at least one value")


Domain: TypeAlias = Float | Int | Choice
Space: TypeAlias = dict[str, Domain]
"""A search space: a `Float`, `Int` or `Choice` for each hyperparameter, by name."""


class When(dict[str, Domain]):
    """Hyperparameters that exist only if another one, their parent, has a value, or one of several values in a tuple.

    It is unpacked into a space, or into another `When`, whose conditions its hyperparameters then have too:

        {"optimizer": Choice(("adamw", "sgd")), **When("optimizer", "sgd", momentum=Float(0.5, 0.99))}

    Args:
        parent: The name of a `Choice` in the same space.
        values: The value, or the values, of the parent.
        domains: The domains by name.
    """

    def __init__(self, parent: str, values: Value | tuple[Value, ...], /, **domains: Domain) -> None:
        condition = ParentCondition(parent, values if isinstance(values, tuple) else (values,))
        super().__init__(
            {
                # What is no domain is left as it is: the check of the whole space names it.
                name: msgspec.structs.replace(domain, when=(condition, *domain.when))
                if isinstance(domain, Float | Int | Choice)
                else domain
                for name, domain in domains.items()
            }
        )


class Range(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A narrower range of a numeric hyperparameter in a suite file, as `{low, high, log}`.

    A key that is left out (None) keeps the strategy's value.
    """

    low: float | None = None
    high: float | None = None
    log: bool | None = None


Override: TypeAlias = Value | Range | list[Value]
"""A value under `[space.<strategy>]` of a suite: a fixed value, a range, or a list of choices."""


def checked(space: Mapping[str, Any]) -> Space:
    """Returns a strategy's space in which each hyperparameter has all conditions of its parents too.

    Raises:
        PluginError: A domain is not a `Float`, `Int` or `Choice`; a parent is missing, no `Choice`, depends on its own
            child or cannot have the value; or the conditions of a hyperparameter contradict each other.
    """
    for name, domain in space.items():
        if not isinstance(domain, Float | Int | Choice):
            hint = f": unpack it, as **{type(domain).__name__}(...)" if isinstance(domain, When) else ""
            raise PluginError(f"space()[{name!r}] is a {type(domain).__name__}, not Float, Int or Choice{hint}")
    domains = dict(space)
    return {name: _with_conditions(domain, _conditions(name, domains, ())) for name, domain in domains.items()}


def narrow(space: Space, overrides: Mapping[str, Override]) -> Space:
    """Returns the space with the overrides of a suite applied.

    Hyperparameters whose parents cannot have the value any more are left out.

    Raises:
        ValueError: A hyperparameter that the space does not have, an override of the wrong type or range, or one of a
            hyperparameter that is left out; the message begins with the hyperparameter's name.
        PluginError: The space is invalid (`checked`).
    """
    # Refused, not ignored: a misspelt name in a suite would otherwise run the strategy's whole space.
    unknown = sorted(set(overrides) - set(space))
    if unknown:
        known = ", ".join(sorted(space)) or "nothing"
        raise ValueError(f"{unknown[0]}: no such hyperparameter; the strategy has {known}")
    narrowed = checked(space)
    for name, override in overrides.items():
        try:
            narrowed[name] = _narrow_one(narrowed[name], override)
        except (ValueError, TypeError, msgspec.ValidationError) as error:
            raise ValueError(f"{name}: {error}") from None
    possible = {name: _simplified(domain, narrowed) for name, domain in narrowed.items()}
    for name in overrides:
        if possible[name] is None:
            conditions = " and ".join(map(str, narrowed[name].when))
            raise ValueError(f"{name}: it exists only where {conditions}, and the suite leaves no such value")
    return {name: domain for name, domain in possible.items() if domain is not None}


def exists(domain: Domain, values: Mapping[str, Value]) -> bool:
    """Returns whether a hyperparameter with this domain exists in params with these values."""
    return all(condition.holds(values) for condition in domain.when)


def existing(space: Space, values: Mapping[str, Value]) -> dict[str, Value]:
    """Returns the params among these values: those of the space whose conditions hold, in the order of the space.

    Hyperparameters without a value are left out. The space is one that `narrow` or `checked` has returned.
    """
    return {name: values[name] for name, domain in space.items() if name in values and exists(domain, values)}


def is_complete(space: Space, values: Mapping[str, Value]) -> bool:
    """Returns whether there is a value for each hyperparameter of the space that exists with these values."""
    return all(name in values for name, domain in space.items() if exists(domain, values))


def is_fixed(domain: Domain) -> bool:
    """Returns whether a domain has a single value, so that there is nothing to search."""
    if isinstance(domain, Choice):
        return len(domain.values) == 1
    return domain.low == domain.high


def is_learning_rate(name: str) -> bool:
    """Returns whether a hyperparameter of this name is a learning rate."""
    return name in {"lr", "learning_rate"} or name.endswith("_lr")


def _check_range(low: float, high: float, log: bool) -> None:
    if low > high:
        raise ValueError(f"low {low} is above high {high}")
    if log and low <= 0:
        raise ValueError(f"a log scale needs low above 0, not {low}")


def _is_among(value: Value, values: tuple[Value, ...]) -> bool:
    # True equals 1 in Python, and is another choice.
    return any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in values)


def _conditions(name: str, space: Space, children: tuple[str, ...]) -> tuple[ParentCondition, ...]:
    """Returns the conditions of a hyperparameter and of its parents, one for each parent.

    `children` are the hyperparameters whose conditions led to this one.
    """
    if name in children:
        raise PluginError(f"space()[{name!r}] depends on itself: {' -> '.join((*children, name))}")
    merged: dict[str, tuple[Value, ...]] = {}
    for condition in space[name].when:
        parent = space.get(condition.parent)
        if parent is None:
            raise PluginError(f"space()[{name!r}] depends on {condition.parent!r}, which the space lacks")
        if not isinstance(parent, Choice):
            raise PluginError(
                f"space()[{name!r}] depends on {condition.parent!r}, which is no Choice but {type(parent).__name__}"
            )
        for value in condition.values:
            if not _is_among(value, parent.values):
                raise PluginError(
                    f"space()[{name!r}] depends on {condition.parent}={value!r}, which is not in its values"
                )
        for one in (*_conditions(condition.parent, space, (*children, name)), condition):
            known = merged.get(one.parent, one.values)
            merged[one.parent] = tuple(value for value in known if _is_among(value, one.values))
    if empty := [parent for parent, values in merged.items() if not values]:
        raise PluginError(f"space()[{name!r}] never exists: its conditions on {empty[0]!r} contradict each other")
    return tuple(ParentCondition(parent, values) for parent, values in merged.items())


def _simplified(domain: Domain, space: Space) -> Domain | None:
    """Returns the domain without conditions that always hold, or None if one of them never does."""
    left = []
    for condition in domain.when:
        parent = space[condition.parent]
        assert isinstance(parent, Choice)
        holds = [_is_among(value, condition.values) for value in parent.values]
        if not any(holds):
            return None
        if not all(holds):
            left.append(condition)
    return _with_conditions(domain, tuple(left))


def _with_conditions(domain: Domain, when: tuple[ParentCondition, ...]) -> Domain:
    return domain if domain.when == when else msgspec.structs.replace(domain, when=when)


def _narrow_one(domain: Domain, override: Override) -> Domain:
    if isinstance(override, Range):
        if isinstance(domain, Choice):
            raise ValueError("a choice takes a value or a list, not a range")
        changes: dict[str, Any] = {k: v for k, v in msgspec.structs.asdict(override).items() if v is not None}
        fields = {"low": domain.low, "high": domain.high, "log": domain.log, **changes}
        # Not strict, since a Range holds floats and 1.0 is a valid end of an Int.
        return _with_conditions(msgspec.convert(fields, type(domain), strict=False), domain.when)
    values = tuple(override) if isinstance(override, list) else (override,)
    return Choice(tuple(_typed(domain, value) for value in values), domain.when)


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
