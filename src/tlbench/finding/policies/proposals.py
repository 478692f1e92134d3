"""The settings of a candidate that a policy can propose: its defaults, random ones, and those beside a given one."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from tlbench.contracts.policies.policy import Candidate, Proposal, Situation
from tlbench.contracts.space import (
    Choice,
    Domain,
    Float,
    Int,
    Space,
    Value,
    existing,
    exists,
    is_fixed,
    is_learning_rate,
)

Params = Mapping[str, Value]

MOST_PROPOSALS, LEAST_SETTINGS = 256, 8
"""Where spaces have more settings, about how many random ones there are of all candidates, and at least of each."""
STEP = 3.0
"""Factor of a step on a logarithmic scale, about half a power of ten; others have a quarter of the range."""
WIDTHS = (1.0, 0.5, 0.25)
"""Steps are tried at their full width first, and between what was tried later."""


def default_of(candidate: Candidate, part: int | None = None, reason: str = "") -> Proposal:
    """Returns the fit of a candidate with its defaults."""
    return Proposal(candidate.number, candidate.defaults, part, reason)


def first_possible(situation: Situation, proposals: Sequence[Proposal] | Iterator[Proposal]) -> Proposal | None:
    """Returns the first of these fits that is new and fits into the budget."""
    return next((one for one in proposals if situation.is_new(one) and situation.fits(one)), None)


def next_baseline(situation: Situation) -> Proposal | None:
    """Returns the next baseline, of which every search begins with all."""
    baselines = (one for one in situation.candidates if one.role == "baseline")
    return first_possible(situation, [default_of(one, reason="baseline") for one in baselines])


def shuffled(situation: Situation) -> list[Proposal]:
    """Returns whole fits of all candidates but baselines, each setting once, in an order that the seed decides.

    Where a space has too many settings to list, there are the defaults and random ones.
    """
    free = [one for one in situation.candidates if one.role != "baseline"]
    most = max(LEAST_SETTINGS, MOST_PROPOSALS // max(len(free), 1))
    proposals = [proposal for candidate in free for proposal in settings_of(candidate, most, situation.seed)]
    random.Random(situation.seed).shuffle(proposals)
    return proposals


def settings_of(candidate: Candidate, most: int, seed: int) -> tuple[Proposal, ...]:
    """Returns whole fits of all settings of a candidate, its defaults first, or of random ones if there are more."""
    return _settings(candidate.number, tuple(candidate.space.items()), tuple(candidate.defaults.items()), most, seed)


# A policy is asked before each fit, and a replay asks thousands of times about the same spaces.
@lru_cache(maxsize=4096)
def _settings(
    number: int, domains: tuple[tuple[str, Domain], ...], defaults: tuple[tuple[str, Value], ...], most: int, seed: int
) -> tuple[Proposal, ...]:
    space, found = dict(domains), {tuple(sorted(defaults)): dict(defaults)}
    values = [_values(domain, most) for domain in space.values()]
    if all(values) and math.prod(map(len, values)) <= most:
        drawn: Iterator[dict[str, Value]] = (dict(zip(space, one, strict=True)) for one in itertools.product(*values))
    else:
        rng = random.Random(f"{seed} {number}")
        drawn = ({name: _drawn(domain, rng) for name, domain in space.items()} for _ in range(4 * most))
    fixed = {name: value for name, value in defaults if name not in space}
    for one in drawn:
        params = {**fixed, **existing(space, one)}
        found.setdefault(tuple(sorted(params.items())), params)
        if len(found) == most:
            break
    return tuple(Proposal(number, params) for params in found.values())


def beside(candidate: Candidate, params: Params, width: float = 1.0) -> list[Params]:
    """Returns the settings one step from the given one: first of the learning rate, then of the others in turn.

    Args:
        candidate: The candidate, whose space the settings stay in.
        params: Where the step starts.
        width: Share of the usual step.
    """
    free = [name for name, domain in candidate.space.items() if name in params and not is_fixed(domain)]
    free.sort(key=lambda name: not is_learning_rate(name))
    steps: list[Params] = []
    for name in free:
        for value in _steps(candidate.space[name], params[name], width):
            changed = {**params, name: value}
            outside = {key: one for key, one in changed.items() if key not in candidate.space}
            steps.append({**outside, **_completed(candidate.space, changed)})
    return steps


def _steps(domain: Domain, value: Value, width: float) -> list[Value]:
    """Returns the values one step above and below; of a choice, its neighbours, or all others if it has no order."""
    if isinstance(domain, Choice):
        others = [one for one in domain.values if one != value]
        if not all(_is_number(one) for one in domain.values):
            return others
        above = sorted(one for one in others if _above(one, value))
        below = sorted(one for one in others if not _above(one, value))
        return [*above[:1], *below[-1:]]
    assert not isinstance(value, str)
    if domain.log:
        moved = [value * STEP**width, value / STEP**width]
    else:
        stride = (domain.high - domain.low) / 4 * width
        moved = [value + stride, value - stride]
    inside = [_inside(domain, one) for one in moved]
    return [one for one in inside if one != value]


def _above(one: Value, other: Value) -> bool:
    assert not isinstance(one, str)
    assert not isinstance(other, str)
    return one > other


def _inside(domain: Float | Int, value: float) -> float | int:
    """Returns the nearest value of the domain, of a Float one with three digits, so that a step back returns."""
    clipped = min(max(value, domain.low), domain.high)
    if isinstance(domain, Int):
        return round(clipped)
    return min(max(float(f"{clipped:.3g}"), domain.low), domain.high)


def _drawn(domain: Domain, rng: random.Random) -> Value:
    if isinstance(domain, Choice):
        return rng.choice(domain.values)
    if domain.log:
        return _inside(domain, math.exp(rng.uniform(math.log(domain.low), math.log(domain.high))))
    return _inside(domain, rng.uniform(domain.low, domain.high))


def _completed(space: Space, values: Params) -> Params:
    """Returns params of the space, in which a hyperparameter that did not exist before has a value in its middle."""
    known = dict(values)
    # Parents may come after their children in a space: as many passes as conditions can be deep.
    for _ in space:
        for name, domain in space.items():
            if name not in known and exists(domain, known):
                known[name] = _middle(domain)
        known = {name: value for name, value in known.items() if name not in space or exists(space[name], known)}
    return existing(space, known)


def _middle(domain: Domain) -> Value:
    if isinstance(domain, Choice):
        return domain.values[0]
    return _inside(domain, math.sqrt(domain.low * domain.high) if domain.log else (domain.low + domain.high) / 2)


def _values(domain: Domain, most: int) -> tuple[Value, ...]:
    """Returns the values of a domain that can be listed; empty if there are more than `most`."""
    if isinstance(domain, Choice):
        return domain.values
    if domain.low == domain.high:
        return (domain.low,)
    if isinstance(domain, Int) and domain.high - domain.low < most:
        return tuple(range(domain.low, domain.high + 1))
    return ()


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
