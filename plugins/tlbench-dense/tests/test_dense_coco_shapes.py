"""COCO's segmentations: drawn as pycocotools draws them, and refused where it would trust them."""

import re

import numpy as np
import pytest
from pycocotools import mask
from tlbench_dense.sources.coco_shapes import drawn_shape, run_lengths


def _counts(counts):
    return {"size": [10, 20], "counts": counts}


@pytest.mark.parametrize(
    ("shape", "why"),
    [
        ({"size": [10**6, 10**6], "counts": [0, 10**12]}, "for an image of 20x10"),
        (_counts([100, 20]), "run lengths of 120 pixels for 200"),
        (_counts([100, 20, -5, 85]), "not whole numbers"),
        (_counts("a"), "within a number"),
        (_counts("~~"), "in the run lengths"),
        ([[0, 0, 1e9, 0, 5, 5]], "far outside"),
        ([[0, 0, 5, 5]], "three corners"),
        ([[0, 0, "x", 0, 5, 5]], "not a number"),
        ([], "neither polygons nor run lengths"),
        (None, "neither polygons nor run lengths"),
    ],
)
def test_segmentations_that_cannot_be_drawn_are_refused(shape, why):
    with pytest.raises(ValueError, match=re.escape(why)):
        drawn_shape(shape, 20, 10)


def test_compressed_run_lengths_are_those_of_pycocotools():
    for seed in range(5):
        pixels = (np.random.default_rng(seed).random((10, 20)) < 0.4).astype(np.uint8)
        runs = mask.encode(np.asfortranarray(pixels))
        text = runs["counts"].decode()
        assert sum(run_lengths(text)) == 200
        assert np.array_equal(drawn_shape({"size": [10, 20], "counts": text}, 20, 10), pixels)
        assert np.array_equal(drawn_shape({"size": [10, 20], "counts": run_lengths(text)}, 20, 10), pixels)


def test_polygons_are_filled():
    part = drawn_shape([[2, 1, 7, 1, 7, 5, 2, 5]], 20, 10)
    assert part[1:5, 2:7].all()
    assert part.sum() == 20
