"""Test examples that stand in train or validation are counted, word for word and byte for byte."""

from pathlib import Path
from types import SimpleNamespace

from tlbench import Example, Examples, ImageFile
from tlbench.running.scoring.overlap import overlap


def examples(*inputs):
    return Examples(Example(f"e{i}", shown if isinstance(shown, tuple) else (shown,)) for i, shown in enumerate(inputs))


def of(train, validation, test):
    return overlap(test, SimpleNamespace(train=train, validation=validation))


def test_texts_and_pairs_are_compared_word_for_word():
    train = examples("a b", ("c", "d"), "e")
    found = of(train, examples("v", "a b"), examples("a b", "a  b", ("c", "d"), ("d", "c"), "v", "V", "a b"))
    assert found == {"train": 3, "validation": 1}


def test_words_are_compared_as_words():
    assert of(examples((("a", "b"),)), examples("x"), examples((("a", "b"),), (("a b",),))) == {
        "train": 1,
        "validation": 0,
    }


def test_images_are_compared_by_what_they_show():
    import numpy as np
    from PIL import Image

    def image(tone):
        return Image.fromarray(np.full((4, 4, 3), tone, np.uint8))

    assert of(examples(image(1), image(2)), examples(image(3)), examples(image(2), image(3), image(4))) == {
        "train": 1, "validation": 1,
    }  # fmt: skip
    files = [ImageFile(Path(f"{i}.png"), digest) for i, digest in enumerate(("f00d", "beef", "f00d"))]
    assert of(examples(files[0]), examples(files[1]), examples(files[2])) == {"train": 1, "validation": 0}
