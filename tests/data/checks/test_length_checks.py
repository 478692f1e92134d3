"""Numbers of words, shares of cut texts and sizes of images."""

import numpy as np
import pytest
from PIL import Image

from tlbench import Classes, Example, Examples, ImageFile
from tlbench.data.checks import length_checks
from tlbench.data.checks.check_finding import CheckedData
from tlbench.data.checks.length_checks import cut_texts, image_sizes, word_counts

OUTPUT = Classes(("no", "yes"))


def rows(*inputs):
    return Examples(Example(str(i), each if isinstance(each, tuple) else (each,)) for i, each in enumerate(inputs))


def test_words_are_split_at_white_space():
    texts = [" ".join(["w"] * n) for n in (1, 2, 3, 4, 100)]
    (found,) = word_counts(CheckedData({"train": rows(*texts[:2]), "test": rows(*texts[2:])}, OUTPUT))
    assert (found.kind, found.severity) == ("words", "note")
    assert found.message == (
        "words per row, split at spaces: 3 at the median, at most 100 in 95% of the rows, 100 in the longest"
    )


def test_both_texts_of_a_pair_and_the_words_of_a_sentence_count():
    (found,) = word_counts(CheckedData({"train": rows(("a b", "c"))}, OUTPUT))
    assert "3 in the longest" in found.message
    (found,) = word_counts(CheckedData({"train": rows((("a b", "c"),))}, OUTPUT))
    assert "2 in the longest" in found.message
    assert word_counts(CheckedData({"train": rows(Image.new("RGB", (2, 2)))}, OUTPUT)) == []


def test_cut_texts():
    some = list(rows("a", "b"))
    (found,) = cut_texts("bert", {"train": (some, 8), "validation": ([], 9), "test": (some[:1], 1000)}, "longer")
    assert (found.kind, found.severity, found.count) == ("cut-text", "warning", 3)
    assert found.message == "bert reads only the beginning of 2 of 8 train rows (25.0%), 1 of 1,000 test rows (0.1%)"
    assert (found.examples, found.advice) == (("0", "1", "0"), "longer")
    assert cut_texts("bert", {"train": ([], 8)}) == []


@pytest.mark.parametrize(("total", "severity"), [(100, "warning"), (101, "note")])
def test_cut_texts_are_a_warning_from_one_percent_on(total, severity):
    assert cut_texts("bert", {"train": (list(rows("a")), total)})[0].severity == severity


def test_sizes_of_images_in_memory_and_in_files(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    Image.fromarray(np.zeros((5, 30, 3), np.uint8)).save(path)
    images = rows(ImageFile(path, "f00d"), Image.new("RGB", (4, 3)))
    (found,) = image_sizes(CheckedData({"train": images}, OUTPUT))
    assert (found.severity, found.message) == ("note", "images: 4 x 3 to 30 x 5 pixels")
    (found,) = image_sizes(CheckedData({"train": rows(*[Image.new("RGB", (4, 3))] * 2)}, OUTPUT))
    assert found.message == "images: all 4 x 3 pixels"
    monkeypatch.setattr(length_checks, "MOST_IMAGES", 2)
    (found,) = image_sizes(CheckedData({"train": rows(*[Image.new("RGB", (4, n)) for n in (1, 2, 3, 4, 5)])}, OUTPUT))
    assert found.message == "2 of 5 images: 4 x 1 to 4 x 4 pixels"
    assert image_sizes(CheckedData({"train": rows("a")}, OUTPUT)) == []
