"""Divides examples into splits: carves a validation split from train, or draws all splits of a data set."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from tlbench.contracts.errors import DataError
from tlbench.contracts.outputs import Output
from tlbench.contracts.task import Example
from tlbench.data.drawing import draw
from tlbench.data.input_keys import input_key, joined

CARVE_SEED = 0
CARVE_SHARE = 0.2
CARVE_AT_MOST = 2000


def divide(
    examples: Sequence[Example], output: Output, shares: Mapping[str, float], seed: int, *, by_rows: bool = True
) -> dict[str, list[int]]:
    """Returns the positions of each split's examples, sorted; a split is empty where the examples are too few.

    The splits are stratified by `Output.strata`. Examples with equal inputs (or questions about one context) and
    examples of one group are in one split, and every class has an example in the first split.

    Args:
        examples: The examples, with targets.
        output: Their kind of output.
        shares: Positive share of each split, summing to 1, train first.
        seed: Seed of the draw.
        by_rows: Whether shares count examples; if False, they count distinct inputs.
    """
    keys = undivided_keys(examples, output)
    strata = output.strata([example.target for example in examples])
    return draw(
        keys,
        strata,
        shares,
        seed,
        by_rows=by_rows,
        classes_of=lambda row: {*output.class_indices(examples[row].target)},
    )


def undivided_keys(examples: Sequence[Example], output: Output) -> Sequence[Hashable]:
    """Returns a key for each example, equal for examples that stay in one split: equal inputs, context or group."""
    contents = [input_key(output.undivided_inputs(example)) for example in examples]
    return joined(contents, [example.group for example in examples])


def carve(
    examples: Sequence[Example], output: Output, share: float | None = None, seed: int = CARVE_SEED
) -> tuple[list[int], list[int]]:
    """Returns the positions of the training examples that stay, and of those that become the validation split.

    Args:
        examples: All training examples.
        output: Their kind of output.
        share: Share of the examples for validation; None for 20%, but at most 2,000 examples.
        seed: Seed of the draw.

    Raises:
        DataError: The examples are too few.
    """
    size = carved_size(len(examples), share)
    parts: dict[str, list[int]] = {}
    if size < len(examples):
        part = size / len(examples)
        parts = divide(examples, output, {"train": 1 - part, "validation": part}, seed)
    if not parts or not all(parts.values()):
        raise DataError(
            f"no validation split can be carved from {len(examples):,} training rows: every class must keep one, and "
            "equal inputs, questions on one context and groups stay together; add rows, or a validation split"
        )
    return parts["train"], parts["validation"]


def carved_size(count: int, share: float | None = None) -> int:
    """Returns how many of `count` training examples to carve for validation; groups may change the actual number."""
    if share is None:
        return min(CARVE_AT_MOST, max(1, round(count * CARVE_SHARE)))
    return max(1, round(count * share))


def how_drawn(output: Output, seed: int, *, by_group: bool = False) -> str:
    """Returns a description of how splits are drawn, such as "by seed 0, stratified by class, groups whole"."""
    parts = [f"by seed {seed}"]
    if strata := output.stratified_by or ("rarest class" if output.classes else ""):
        parts.append(f"stratified by {strata}")
    if by_group:
        parts.append("groups whole")
    return ", ".join(parts)


def carve_note(size: int, count: int, how: str) -> str:
    """Returns a note on a carved split, such as "validation: 20 of 100 training rows carved by seed 0"."""
    return f"validation: {size:,} of {count:,} training rows carved {how}"


def planned_carve(sizes: Mapping[str, int], output: Output) -> str:
    """Returns the `carve_note` for a task with splits of these sizes; "" if it has a validation split or no train."""
    if "validation" in sizes or not (count := sizes.get("train", 0)):
        return ""
    return carve_note(carved_size(count), count, how_drawn(output, CARVE_SEED))
