"""Generated scenes: both tasks conform, splits share no digit, and maps and boxes are of the same objects."""

import itertools

import numpy as np
from tlbench_dense.scenes.scene_rendering import DIFFICULTIES, MOST_OVERLAP, render
from tlbench_dense.scenes.scene_tasks import DIGITS, DigitBoxes, DigitMasks
from tlbench_dense.standalone.class_runs import decoded

from tlbench.testing.conformance import TaskConformance

SMALL = {"train": 45, "validation": 6, "test": 12}


class TestDigitMasks(TaskConformance):
    task = DigitMasks(**SMALL, side=48)
    sizes = SMALL


class TestDigitBoxes(TaskConformance):
    task = DigitBoxes(**SMALL, side=48)
    sizes = SMALL


def test_boxes_surround_the_pixels_of_their_digits():
    maps, boxes = (kind(**SMALL, side=48).split("train") for kind in (DigitMasks, DigitBoxes))
    assert sum(len(example.target) for example in boxes) > 60
    for of_map, of_boxes in zip(maps, boxes, strict=True):
        classes, seen = decoded(of_map.target), np.zeros((48, 48), dtype=bool)
        for label, left, top, right, bottom, _ in of_boxes.target:
            part = classes[int(top) : int(bottom), int(left) : int(right)]
            assert (part == label + 1).any()
            seen[int(top) : int(bottom), int(left) : int(right)] = True
        assert not classes[~seen].any()


def test_no_digit_is_in_two_splits_and_no_later_one_hides_an_earlier():
    ranges = [set(range(*DIGITS[split])) for split in DIGITS]
    assert sum(map(len, ranges)) == len(set.union(*ranges)) == 1797
    for number in range(30):
        scene = render(np.random.default_rng(number), 64, range(50), DIFFICULTIES["hard"])
        sizes = np.bincount(scene.instances.reshape(-1), minlength=len(scene.labels) + 1)[1:]
        assert (sizes > 10).all()
    assert MOST_OVERLAP < 0.5


def test_harder_scenes_have_more_digits_and_less_contrast():
    parts = [DIFFICULTIES[name] for name in ("easy", "medium", "hard")]
    for one, other in itertools.pairwise(parts):
        assert one.contrast > other.contrast
        assert one.texture < other.texture
        assert one.digits[1] < other.digits[1]
