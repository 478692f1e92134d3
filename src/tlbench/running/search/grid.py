"""An even grid of settings."""

from __future__ import annotations

import itertools

from tlbench.contracts.space import Choice, Domain, Float, Space, Value


def grid(space: Space, trials: int) -> list[dict[str, Value]]:
    """Returns an even grid of at most `trials` settings: every choice, and as many points a number as fit."""
    choices = {name: domain.values for name, domain in space.items() if isinstance(domain, Choice)}
    numbers = [name for name in space if name not in choices]
    room = trials
    for values in choices.values():
        room //= len(values)
    points = max(1, int(room ** (1 / len(numbers)) + 1e-9)) if numbers else 1
    axes = [choices[name] if name in choices else _points(space[name], points) for name in space]
    settings = list(itertools.islice(itertools.product(*axes), 1_000_000))
    # More choices than trials: spread over all of them rather than keep to one corner.
    chosen = [settings[i * len(settings) // trials] for i in range(trials)] if len(settings) > trials else settings
    return [dict(zip(space, setting, strict=True)) for setting in chosen]


def _points(domain: Domain, count: int) -> tuple[Value, ...]:
    assert not isinstance(domain, Choice)
    values: list[Value] = []
    for i in range(count):
        share = 0.5 if count == 1 else i / (count - 1)
        if domain.log:
            value = float(domain.low) ** (1 - share) * float(domain.high) ** share
        else:
            value = domain.low + (domain.high - domain.low) * share
        value = min(max(value, domain.low), domain.high)
        values.append(float(value) if isinstance(domain, Float) else round(value))
    return tuple(dict.fromkeys(values))
