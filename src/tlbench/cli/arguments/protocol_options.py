"""Turns the options that set fields of the protocol into a patch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tlbench.contracts.cell import Final, Precision, Pruner, Sampler
from tlbench.contracts.errors import UsageError
from tlbench.contracts.identity.amount import ValidationAmount
from tlbench.planning.suite import Patch


def patch(
    trials: int | None = None,
    seeds: int | tuple[int, ...] | None = None,
    max_steps: int | None = None,
    epochs: float | None = None,
    train_limit: int | None = None,
    train_fraction: str | None = None,
    shots: str | None = None,
    validation: ValidationAmount | None = None,
    max_seconds: float | None = None,
    precision: Precision | None = None,
    sampler: Sampler | None = None,
    pruner: Pruner | None = None,
    folds: int | None = None,
    final: Final | None = None,
) -> Patch:
    """Returns the fields of the protocol that the command line sets.

    Raises:
        UsageError: A number is out of range, or two options exclude each other.
    """
    options: dict[str, Any] = {
        "trials": trials,
        "seeds": seeds,
        "max_steps": max_steps,
        "epochs": _positive("--epochs", epochs),
        "train_limit": train_limit,
        "train_fraction": _several("--train-fraction", train_fraction, float, "a share above 0 and up to 1, as 0.1"),
        "shots": _several("--shots", shots, int, "a number of examples of each class, as 8"),
        "validation": validation,
        "max_seconds": _positive("--max-seconds", max_seconds),
        "precision": precision,
        "sampler": sampler,
        "pruner": pruner,
        "folds": folds,
        "final": final,
    }
    if max_steps is not None and epochs is not None:
        raise UsageError("give --max-steps or --epochs, not both")
    amounts = {"--train-limit": train_limit, "--train-fraction": train_fraction, "--shots": shots}
    given = [option for option, value in amounts.items() if value is not None]
    if len(given) > 1:
        raise UsageError(f"give one of {' and '.join(given)}")
    return Patch(**{name: value for name, value in options.items() if value is not None})


def _positive(option: str, value: float | None) -> float | None:
    if value is not None and not (value > 0 and math.isfinite(value)):
        raise UsageError(f"{option} {value:g}: must be above 0 and finite")
    return value


def _several(
    option: str, text: str | None, number: Callable[[str], float], example: str
) -> float | tuple[float, ...] | None:
    """Returns the number of an option, or the numbers that it separates by commas.

    Raises:
        UsageError: The text is not such a number or list, or a number is repeated.
    """
    if text is None:
        return None
    try:
        numbers = tuple(number(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    largest = 1.0 if number is float else 2**31 - 1
    if not numbers or not all(0 < one <= largest for one in numbers) or len(set(numbers)) < len(numbers):
        raise UsageError(f"{option} {text}: give {example}, or several different ones separated by commas")
    return numbers if len(numbers) > 1 else numbers[0]
