"""Grid search: an even grid over a search space."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TypeVar

from tlbench.contracts.space import Choice, Domain, Float, Space, Value, existing, exists

T = TypeVar("T")


def grid(space: Space, trials: int) -> list[dict[str, Value]]:
    """Returns an even grid of at most `trials` params.

    The grid has every choice of each categorical hyperparameter, and as many points for each numeric one as the
    remaining budget allows. Hyperparameters with conditions are varied only where they exist.

    Args:
        space: The domains of the hyperparameters.
        trials: The maximum number of trials.
    """
    if any(domain.when for domain in space.values()):
        return list(_spread(_conditional_grid(space, trials), trials))
    choices = {name: domain.values for name, domain in space.items() if isinstance(domain, Choice)}
    numbers = [name for name in space if name not in choices]
    budget = trials
    for values in choices.values():
        budget //= len(values)
    # The small addend undoes rounding: 27 ** (1 / 3) is a little less than 3, which would cost a point.
    points = max(1, int(budget ** (1 / len(numbers)) + 1e-9)) if numbers else 1
    axes = [choices[name] if name in choices else _points(space[name], points) for name in space]
    # A space of many choices has more combinations than memory has room for.
    combinations = list(itertools.islice(itertools.product(*axes), 1_000_000))
    return [dict(zip(space, values, strict=True)) for values in _spread(combinations, trials)]


def branches(space: Space) -> list[dict[str, Value]]:
    """Returns the different settings of those hyperparameters on which others depend; one empty one without any."""
    parents = {condition.parent for domain in space.values() for condition in domain.when}
    chosen = {name: domain for name, domain in space.items() if name in parents}
    axes = [domain.values for domain in chosen.values() if isinstance(domain, Choice)]
    settings = (existing(chosen, dict(zip(chosen, values, strict=True))) for values in itertools.product(*axes))
    # Where a parent has a parent itself, several combinations are the same setting; True and 1 are different ones.
    return list({repr(setting): setting for setting in settings}.values())


def _conditional_grid(space: Space, trials: int) -> list[dict[str, Value]]:
    """Returns the grid with the most points for each number that has at most `trials` settings, or with one point."""
    grid = _settings(space, 1, trials)
    for points in range(2, trials + 1):
        finer = _settings(space, points, trials)
        if not len(grid) < len(finer) <= trials:
            break
        grid = finer
    return grid


def _settings(space: Space, points: int, trials: int) -> list[dict[str, Value]]:
    def settings() -> Iterator[dict[str, Value]]:
        for branch in branches(space):
            free = {name: one for name, one in space.items() if name not in branch and exists(one, branch)}
            axes = [one.values if isinstance(one, Choice) else _points(one, points) for one in free.values()]
            for values in itertools.product(*axes):
                yield existing(space, {**branch, **dict(zip(free, values, strict=True))})

    # A finer grid than the trials allow is not listed to its end; the coarsest one is, up to what memory has room for.
    return list(itertools.islice(settings(), 1_000_000 if points == 1 else trials + 1))


def _spread(combinations: Sequence[T], trials: int) -> Sequence[T]:
    """Returns at most `trials` of the combinations, spread over all of them rather than from one corner."""
    if len(combinations) <= trials:
        return combinations
    return [combinations[i * len(combinations) // trials] for i in range(trials)]


def _points(domain: Domain, count: int) -> tuple[Value, ...]:
    """Returns up to `count` evenly spaced values of a numeric domain, on a log scale if the domain has one.

    If `count` is 1, the only value is the middle of the domain.
    """
    assert not isinstance(domain, Choice)
    values: list[Value] = []
    for i in range(count):
        share = 0.5 if count == 1 else i / (count - 1)
        if domain.log:
            value = float(domain.low) ** (1 - share) * float(domain.high) ** share
        else:
            value = domain.low + (domain.high - domain.low) * share
        # Powers of the bounds may round to just outside them.
        value = min(max(value, domain.low), domain.high)
        values.append(float(value) if isinstance(domain, Float) else round(value))
    # A narrow range of integers has fewer values than points.
    return tuple(dict.fromkeys(values))
