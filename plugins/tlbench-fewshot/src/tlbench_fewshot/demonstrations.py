"""Draws the training examples that a prompt shows. Imports no torch."""

from __future__ import annotations

import random

from tlbench import Example, Examples


def drawn(examples: Examples, classes: int, count: int, seed: int) -> list[Example]:
    """Returns `count` examples, or all if there are fewer: the classes in turn, in random order.

    Args:
        examples: Examples whose targets are indices of classes.
        classes: The number of classes.
        count: The number of examples.
        seed: The seed of the draw.
    """
    draw = random.Random(seed)
    pools: list[list[Example]] = [[] for _ in range(classes)]
    for example in examples:
        pools[example.target].append(example)
    for pool in pools:
        draw.shuffle(pool)
    # A class is taken from again after all others that still have examples.
    longest = max(map(len, pools), default=0)
    turns = [pool[turn] for turn in range(longest) for pool in draw.sample(pools, classes) if turn < len(pool)]
    found = turns[:count]
    draw.shuffle(found)
    return found
