"""Random examples on which the conformance checks run backbones."""

from __future__ import annotations

import random

from tlbench.contracts.outputs import Answer, Classes, MultiLabel, Output, Scalar
from tlbench.contracts.task import Example, Examples

WORDS = "the a old new cat dog tree river sees finds likes under over quick small and not every my blue".split()
LONG = 150
"""Number of words that do not fit into one row of most backbones, so that windows and truncation are tested."""

OUTPUTS: tuple[Output, ...] = (Classes(("no", "yes")), Scalar(), MultiLabel(("one", "other", "third")))
"""Outputs of whole examples, of which a backbone may refuse some by `supports`."""


def noise(modality: str, count: int = 6) -> Examples:
    """Returns random examples of a modality in two classes; no two have the same length or, for images, height."""
    generator = random.Random(0)
    if modality == "image":
        from PIL import Image

        images = [
            Image.frombytes("RGB", (48, 40 + 8 * i), generator.randbytes(48 * (40 + 8 * i) * 3)) for i in range(count)
        ]
        return Examples(Example(f"image-{i}", (image,), i % 2) for i, image in enumerate(images))
    texts = [" ".join(generator.choices(WORDS, k=2 + 3 * i)) for i in range(count)]
    return Examples(Example(f"text-{i}", (text,), i % 2) for i, text in enumerate(texts))


def sentences() -> Examples:
    """Returns tokenised sentences with a class per word: 1, 5, 9 and `LONG` words."""
    generator = random.Random(0)
    sampled = [tuple(generator.choices(WORDS, k=count)) for count in (1, 5, 9, LONG)]
    return Examples(Example(f"words-{i}", (s,), tuple(len(w) % 3 for w in s)) for i, s in enumerate(sampled))


def questions() -> Examples:
    """Returns questions whose answers have one word or three, in short contexts and in contexts of `LONG` words."""
    generator = random.Random(0)
    rows = []
    for i, (count, size) in enumerate([(6, 1), (9, 3), (LONG, 1), (LONG, 3)]):
        words = generator.choices(WORDS, k=count)
        first = generator.randrange(1, count - size)
        # The answer's first character: each word before it takes its own length and one space.
        answer = Answer(" ".join(words[first : first + size]), sum(len(word) + 1 for word in words[:first]))
        rows.append(Example(f"question-{i}", ("what does the dog see", " ".join(words)), (answer,)))
    return Examples(rows)
