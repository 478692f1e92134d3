"""Grid search: an even grid over a search space."""

from __future__ import annotations

import itertools

from tlbench.contracts.space import Choice, Domain, Float, Space, Value


def grid(space: Space, trials: int) -> list[dict[str, Value]]:
    """Returns an even grid of at most `trials` params.

    The grid has every choice of each categorical hyperparameter, and as many points for each numeric one as the
    remaining budget allows.

    Args:
        space: The domains of the hyperparameters.
        trials: The maximum number of trials.
    """
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
    # With more combinations than trials, the trials are spread over all of them rather than fill one corner.
    chosen = (
        [combinations[i * len(combinations) // trials] for i in range(trials)]
        if len(combinations) > trials
        else combinations
    )
    return [dict(zip(space, values, strict=True)) for values in chosen]


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
