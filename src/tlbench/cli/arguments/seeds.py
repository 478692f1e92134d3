"""Reads the seeds of a run from `--seeds` and `--seed`."""

from __future__ import annotations

from collections.abc import Sequence

from tlbench.contracts.errors import UsageError


def read_seeds(seeds: str | None, seed: Sequence[int] | None) -> int | tuple[int, ...] | None:
    """Returns the number of seeds or the seeds themselves; None if neither option is given.

    Args:
        seeds: A number of seeds as in "3", or seeds separated by commas: "0,7" or, for one seed, "7,".
        seed: The values of `--seed`, each of which is a seed.

    Raises:
        UsageError: Both options are given, or the text is no list of numbers.
    """
    if seeds is not None and seed:
        raise UsageError(f"--seeds {seeds} and --seed {seed[0]}: give one of them")
    if seeds is None:
        return tuple(seed) if seed else None
    is_list = "," in seeds
    try:
        numbers = [int(part) for part in seeds.removesuffix(",").split(",")]
    except ValueError:
        raise UsageError(
            f"--seeds {seeds}: give a number of seeds, as 3, or the seeds themselves, as 0,7,8; one seed is --seed 7"
        ) from None
    if any(number < 0 for number in numbers) or (numbers == [0] and not is_list):
        raise UsageError(f"--seeds {seeds}: give at least one seed, and none below 0")
    return tuple(numbers) if is_list else numbers[0]
