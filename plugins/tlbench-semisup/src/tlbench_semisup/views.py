"""Pairs of a weakly and a strongly altered view of unlabelled texts or images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np

from tlbench import Examples, Job
from tlbench.modeling.data import Batch, Data
from tlbench.training import Model, augmented
from tlbench_semisup.strong_images import strongly_augmented
from tlbench_semisup.unlabeled_batches import UnlabeledBatches

if TYPE_CHECKING:
    from tlbench_semisup.consistency import Consistency

VERSIONS = 4
"""Number of strong views of each text. They are drawn before training, so that each is tokenised once."""


def views(strategy: Consistency, model: Model, job: Job, data: Data) -> Iterator[tuple[Batch, Batch]]:
    """Yields batches of unlabelled rows without end: the weak view and the strong view of the same examples."""
    weak = augmented(data) if strategy.augmentation != "none" else data
    if isinstance(data.examples[0].inputs[0], str):
        seeds = [VERSIONS * job.seed + number for number in range(VERSIONS)]
        altered = [without_words(data.examples, strategy.deletion, seed) for seed in seeds]
        strong = [job.featurize(examples) for examples in altered]
    else:
        strong = [strongly_augmented(weak)]
    batches = UnlabeledBatches(model, job, [weak, *strong], strategy.unlabeled_batch_size)
    for version in cycle(range(1, len(strong) + 1)):
        rows = batches.draw()
        yield batches.batch(rows), batches.batch(rows, version)


def without_words(examples: Examples, share: float, seed: int) -> Examples:
    """Returns the examples with each word of their texts left out with probability `share`; one word always remains.

    Random deletion: Wei & Zou 2019, arXiv:1901.11196.
    """
    draw = np.random.default_rng(seed)

    def altered(text: str) -> str:
        words = text.split()
        keeps = draw.random(len(words)) >= share
        if not words or not keeps.any():
            return words[int(draw.integers(len(words)))] if words else text
        return " ".join(word for word, kept in zip(words, keeps, strict=True) if kept)

    return Examples(replace(one, inputs=tuple(map(altered, one.inputs))) for one in examples)
