"""Finds trials whose params an earlier trial had, and notices when a finite search space is used up."""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from tlbench.contracts.record import FitResult
from tlbench.contracts.space import Choice, Domain, Float, Space, Value, existing, exists, is_complete
from tlbench.running.search.grid import branches

Key = tuple[tuple[str, bool, Value], ...]
"""The name, whether it is a bool, and the value of each hyperparameter."""


class TriedSettings:
    """The settings that the trials of a search have had so far; trials are added in order of their numbers."""

    def __init__(self, free: Space) -> None:
        self._free = free
        self._size = number_of_settings(free)
        self._last: dict[Key, int] = {}
        self._inside: set[Key] = set()
        """Settings within the space; a resumed search may also have trials of an earlier space."""

    def add(self, number: int, params: Mapping[str, Value]) -> int | None:
        """Adds a trial, and returns the number of the last trial before it with the same params, or None."""
        key = _key(params)
        before = self._last.get(key)
        self._last[key] = number
        # Not counted in an infinite space, which cannot be used up.
        if before is None and self._size is not None:
            inside = {name: params[name] for name in self._free if name in params}
            is_setting = is_complete(self._free, inside) and existing(self._free, inside) == inside
            if is_setting and all(_contains(self._free[name], value) for name, value in inside.items()):
                self._inside.add(_key(inside))
        return before

    @property
    def is_used_up(self) -> bool:
        """Whether every setting of the space has been tried."""
        return self._size is not None and len(self._inside) >= self._size


def number_of_settings(free: Space) -> int | None:
    """Returns how many different settings a search space has; None if a hyperparameter is a real number."""
    if any(isinstance(domain, Float) for domain in free.values()):
        return None
    return sum(
        math.prod(_size(domain) for name, domain in free.items() if name not in branch and exists(domain, branch))
        for branch in branches(free)
    )


def repeated(result: FitResult, number: int, params: dict[str, Value]) -> FitResult:
    """Returns the result of a trial that repeats a finished one: the same outcome, without the costs of a fit."""
    seconds = {name: 0.0 for name in FitResult.__struct_fields__ if name.endswith("_seconds")}
    origin = result.trial if result.repeats is None else result.repeats
    return msgspec.structs.replace(
        result, params=params, trial=number, repeats=origin, taken_over=False, examples_seen=0, **seconds
    )


def _key(params: Mapping[str, Value]) -> Key:
    return tuple((name, *_part(params[name])) for name in sorted(params))


def _part(value: Value) -> tuple[bool, Value]:
    # True equals 1 in Python, and is another setting; 1.0 and 1 are the same one, as in the identity of a fit.
    return isinstance(value, bool), value


def _size(domain: Domain) -> int:
    if isinstance(domain, Choice):
        return len({_part(value) for value in domain.values})
    assert not isinstance(domain, Float)
    return domain.high - domain.low + 1


def _contains(domain: Domain, value: Value) -> bool:
    if isinstance(domain, Choice):
        return _part(value) in map(_part, domain.values)
    return not isinstance(value, str | bool) and domain.low <= value <= domain.high
