"""Chooses which strategy brings each part of a fit, and refuses what cannot be joined. Imports no torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from tlbench import Strategy, UsageError
from tlbench.training import PARTS, GradientStrategy

ORDER = ("wrap", "groups", "start", "loss", "average")
"""The parts in order of precedence: the first that has a hyperparameter or an option of its own decides it."""
assert set(ORDER) == set(PARTS)
SHARED: Mapping[str, Any] = {
    field.name: field.default for field in dataclasses.fields(GradientStrategy) if field.name != "name"
}
"""The options of training, which are those of the whole recipe, and their defaults."""


def chosen_parts(
    named: Mapping[str, tuple[str, Strategy]], options: Mapping[str, Any]
) -> tuple[dict[str, GradientStrategy], dict[str, Any]]:
    """Returns the strategy that brings each part, and the options of training, which all of them have then.

    A part that is not named is brought by a named strategy if one of them changes it, as `tapt[stages=2]` does with
    what is trained.

    Args:
        named: Names and strategies by part.
        options: The options of training that the recipe sets itself.

    Raises:
        UsageError: A strategy has no such part, two of them bring one that is not named, an option of training is in
            a part's name, or parts clash.
    """
    checked = {part: _checked(part, *named[part]) for part in ORDER if part in named}
    ours = [_own_options(strategy) for strategy in checked.values()]
    defaults = {**SHARED, **{name: value for one in reversed(ours) for name, value in one.items()}}
    shared = {**defaults, **options}
    # One object for each name, so that a strategy that brings several parts counts once.
    made = {named[part][0]: dataclasses.replace(strategy, **shared) for part, strategy in checked.items()}
    parts = {part: made[named[part][0]] for part in checked}
    for strategy in made.values():
        for part in sorted(strategy.parts - parts.keys()):
            parts[part] = strategy
    for name, strategy in made.items():
        for part in ORDER:
            if part in strategy.parts and parts[part] is not strategy:
                other = parts[part].name
                if part in named:
                    raise UsageError(f"recipe: {name} brings {part} too, which {part}={named[part][0]} replaces")
                raise UsageError(f"recipe: both {other} and {name} bring {part}: name one, as in {part}={other}")
    for strategy in made.values():
        if reason := strategy.clash(parts):
            raise UsageError(f"recipe: {reason}")
    return {part: parts[part] for part in ORDER if part in parts}, shared


def distinct(parts: Iterable[GradientStrategy]) -> list[GradientStrategy]:
    """Returns the strategies without repetitions of one object, in order."""
    return list({id(strategy): strategy for strategy in parts}.values())


def _checked(part: str, name: str, strategy: Strategy) -> GradientStrategy:
    """Returns a named strategy that brings a part.

    Raises:
        UsageError: It does not, has no parts, or its name sets an option of training.
    """
    where = f"recipe[{part}={name}]"
    if not isinstance(strategy, GradientStrategy):
        raise UsageError(f"{where}: {strategy.name} is not trained by gradients with the loop of tlbench.training")
    if strategy.name == "recipe":
        raise UsageError(f"{where}: a recipe is no part of another one: name its parts")
    if type(strategy).fit is not GradientStrategy.fit:
        raise UsageError(f"{where}: {strategy.name} has a fit of its own, which cannot be taken apart")
    if part not in strategy.parts and (part != "wrap" or strategy.parts):
        brings = ", ".join(f"{one}={strategy.name}" for one in ORDER if one in strategy.parts) or "nothing"
        raise UsageError(f"{where}: {strategy.name} does not change this part; it brings {brings}")
    for option, default in _class_defaults(strategy).items():
        if getattr(strategy, option) != default:
            raise UsageError(
                f"{where}: {option} is an option of the whole recipe: write recipe[{option}=...,{part}={strategy.name}]"
            )
    return strategy


def _class_defaults(strategy: GradientStrategy) -> dict[str, Any]:
    return {field.name: field.default for field in dataclasses.fields(strategy) if field.name in SHARED}


def _own_options(strategy: GradientStrategy) -> dict[str, Any]:
    """Returns the options of training for which a strategy has a default of its own."""
    return {name: value for name, value in _class_defaults(strategy).items() if value != SHARED[name]}
