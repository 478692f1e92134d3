"""Draws the labelled examples that a fit may see: a number, a share, or so many of each class.

All draws read the examples in one order, which depends on the seed alone, so that they are the same for every strategy,
and those of one seed are nested: the examples of 8 shots are among those of 16.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable

from tlbench.contracts.errors import DataError
from tlbench.contracts.identity.amount import Amount
from tlbench.contracts.outputs import Output, TokenClasses
from tlbench.contracts.task import Examples


def permutation(count: int, seed: int) -> list[int]:
    """Returns the numbers below `count` in an order that depends on the seed alone."""
    import numpy as np

    # The bit generator is named, so that a new default in NumPy cannot change the subsets.
    return [int(i) for i in np.random.Generator(np.random.PCG64(seed)).permutation(count)]


def draw_subset(examples: Examples, output: Output, amount: Amount, seed: int, *, fewer: bool = False) -> list[int]:
    """Returns the positions of the drawn examples, in the order in which they were drawn.

    With `shots`, an example is drawn if one of its classes is still short of examples. One of several labels may
    therefore have more than `shots` examples (as in the N-way K~2K-shot sampling of Ding et al. 2021,
    doi:10.18653/v1/2021.acl-long.248). See `shot_classes` for what counts as a class.

    Args:
        examples: The labelled examples.
        output: Their kind of output.
        amount: How many to draw.
        seed: Seed of the draw.
        fewer: Whether a class that has fewer examples than `shots` gives those that it has.

    Raises:
        DataError: The output has no classes, or a class has fewer examples than `shots`.
    """
    order = permutation(len(examples), seed)
    if amount.fraction is not None:
        return order[: max(1, round(amount.fraction * len(examples)))]
    if amount.shots is None:
        return order[: amount.limit]
    if reason := no_shots(output):
        raise DataError(reason)
    classes = [shot_classes(output, example.target) for example in examples]
    if not fewer:
        _check_enough(classes, amount.shots)
    taken: Counter[Hashable] = Counter()
    drawn = []
    for position in order:
        if any(taken[one] < amount.shots for one in classes[position]):
            drawn.append(position)
            taken.update(classes[position])
    return drawn


def shot_classes(output: Output, target: object) -> set[str]:
    """Returns the names of the classes that an example with this target is a shot of.

    They are the class, or the labels that are 1; an example without a label is a shot of "no label". A sentence is a
    shot of each entity type in it, and one without an entity of none; of tags without BIO prefixes, of each tag.
    """
    names = {output.classes[index] for index in output.class_indices(target)}
    if isinstance(output, TokenClasses):
        types = {name[2:] for name in names if name[:2] in {"B-", "I-"}}
        return types if any(name[:2] in {"B-", "I-"} for name in output.classes) else names
    return names or {"no label"}


def no_shots(output: Output) -> str:
    """Returns why there are no shots of a kind of output, or "" if there are."""
    if output.classes:
        return ""
    return f"shots count examples of each class, and {output.kind} has no classes: use train_fraction or train_limit"


def _check_enough(classes: list[set[str]], shots: int) -> None:
    counts = Counter(one for present in classes for one in present if one != "no label")
    few = {name: count for name, count in counts.items() if count < shots}
    if few:
        name, count = min(few.items(), key=lambda item: (item[1], item[0]))
        others = f" and {len(few) - 1} more classes have fewer too" if len(few) > 1 else ""
        raise DataError(
            f"shots={shots}: the class {name!r} has {count} training examples{others}: choose at most {count}, or "
            "use train_fraction"
        )
