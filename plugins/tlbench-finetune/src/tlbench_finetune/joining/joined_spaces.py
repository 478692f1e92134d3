"""The hyperparameters of joined parts: one space, and each part's own view of a trial's params. Imports no torch."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from tlbench import Job, Space, Value
from tlbench.contracts.space import Domain, ParentCondition

COMMON = frozenset({"lr"})
"""Hyperparameters that mean the same in every part; others of one name are told apart by the part's name."""


def joined_names(spaces: Sequence[tuple[str, Space]]) -> list[dict[str, str]]:
    """Returns for each space the names that its hyperparameters have in the joined one.

    A name that several parts have, such as `alpha`, is preceded by that of the part: `wrap_alpha` and `loss_alpha`.

    Args:
        spaces: The name of the part, and the space, of each strategy.
    """
    counts = Counter(name for _, space in spaces for name in space if name not in COMMON)
    return [{name: f"{part}_{name}" if counts[name] > 1 else name for name in space} for part, space in spaces]


def joined_space(spaces: Sequence[tuple[str, Space]]) -> Space:
    """Returns the joined space; of a hyperparameter that parts share, the domain is that of the first."""
    joined: Space = {}
    for (_, space), names in zip(spaces, joined_names(spaces), strict=True):
        for name, domain in space.items():
            joined.setdefault(names[name], _with_parents(domain, names))
    return joined


def joined_values(spaces: Sequence[tuple[str, Space]], values: Sequence[Mapping[str, Value]]) -> dict[str, Value]:
    """Returns default values for the joined space, given those of each strategy."""
    joined: dict[str, Value] = {}
    for names, own in zip(joined_names(spaces), values, strict=True):
        for name, value in own.items():
            joined.setdefault(names.get(name, name), value)
    return joined


def own_view(job: Job, part: str) -> Job:
    """Returns the job whose params have the names that the strategy of a part gives them."""
    prefix = f"{part}_"
    own = {name.removeprefix(prefix): job.params[name] for name in job.params if name.startswith(prefix)}
    return dataclasses.replace(job, params={**job.params, **own}) if own else job


def _with_parents(domain: Domain, names: Mapping[str, str]) -> Domain:
    if not domain.when:
        return domain
    when = tuple(ParentCondition(names.get(one.parent, one.parent), one.values) for one in domain.when)
    return msgspec.structs.replace(domain, when=when)
