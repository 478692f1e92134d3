"""Both kinds of output: targets, encodings, arrays, storage, reports, and the heads on a small backbone."""

import itertools

import numpy as np
import pytest
from PIL import Image
from tlbench_dense.kinds.boxes import Boxes
from tlbench_dense.kinds.masks import Masks
from tlbench_dense.scoring.box_metrics import AveragePrecision, AveragePrecision50, AverageRecall
from tlbench_dense.scoring.mask_metrics import BoundaryF1, MeanIoU, PixelAccuracy
from tlbench_dense.standalone.box_texts import Box, numbers_in, prediction_text, target_text
from tlbench_dense.standalone.class_runs import IGNORED, classes_in, decoded, encoded, size_of
from tlbench_dense.standalone.image_windows import OVERLAP, windows
from tlbench_timm.fractals.backbones import FractalBackbone

from tlbench import Example, Examples, PluginError, Predictions, UsageError
from tlbench.metrics.scored import objects
from tlbench.metrics.scored_arrays import scored_of
from tlbench.testing.conformance import OutputConformance
from tlbench.testing.conformance.words_and_spans import step_and_predict


class _Maps(OutputConformance):
    def test_default_head(self) -> None:
        backbone = FractalBackbone("fractal-resnet", size=32)
        encoder = self.output.view(backbone.load())
        examples = Examples(self.examples)
        data = backbone.featurize(examples, self.output)
        predictions = step_and_predict(encoder, self.output.head(encoder), data)
        scored_of(self.output, [example.target for example in examples], predictions)


def _image(seed: int = 0, size: tuple[int, int] = (12, 10)) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3))
    return Image.fromarray(pixels.astype(np.uint8))


def _map(*rows: str) -> str:
    """Returns an encoded map, in which x is ignored; each letter stands for 3x5 pixels."""
    small = np.array([[IGNORED if letter == "x" else int(letter) for letter in row] for row in rows])
    return encoded(np.kron(small, np.ones((5, 3), dtype=np.int64)))


class TestMasks(_Maps):
    output = Masks(("ground", "cat", "dog"))
    examples = (
        Example("a", (_image(0),), _map("0011", "0221")),
        Example("b", (_image(1),), _map("x000", "0000")),
        Example("c", (_image(2),), _map("2222", "x111")),
    )
    metrics = (MeanIoU(), PixelAccuracy(), BoundaryF1())

    def right(self, example):
        return example.target

    def wrong(self, example):
        classes = decoded(example.target)
        return encoded(np.where(classes == IGNORED, 0, (classes.astype(int) + 1) % 3))


class TestBoxes(_Maps):
    output = Boxes(("cat", "dog"))
    examples = (
        Example("a", (_image(0),), (Box(0, 1, 1, 5, 6), Box(1, 6, 2, 12, 10))),
        Example("b", (_image(1),), ()),
        Example("c", (_image(2),), (Box(1, 0, 0, 1.5, 1.25), Box(0, 2, 2, 11, 9, crowd=True))),
        Example("d", (_image(3),), (Box(0, 3, 3, 9, 9),)),
    )
    metrics = (AveragePrecision(), AveragePrecision50(), AverageRecall())

    def right(self, example):
        rows = [[*box[:5], 0.9] for box in example.target if not box.crowd]
        # A prediction of a target is not its text, which has no scores; the shape of an answer is.
        return prediction_text(np.array(rows, dtype=float).reshape(-1, 6))

    def wrong(self, example):
        rows = [[1 - box.label, *box[1:5], 0.95] for box in example.target if not box.crowd]
        return prediction_text(np.array([*rows, [0, 0, 0, 12, 1, 0.5]], dtype=float))

    def test_arrays_separate_targets_and_predictions(self) -> None:
        right, wrong = self._scored(), self._scored([self.wrong(example) for example in self.examples])
        assert right.targets.tolist() == wrong.targets.tolist()
        assert all(one != other for one, other in zip(right.values, wrong.values, strict=True))


@pytest.mark.parametrize("seed", range(4))
def test_maps_survive_their_encoding(seed):
    rng = np.random.default_rng(seed)
    classes = rng.choice([0, 1, 2, IGNORED], size=(int(rng.integers(1, 40)), int(rng.integers(1, 40)))).astype(np.uint8)
    text = encoded(classes)
    assert np.array_equal(decoded(text), classes)
    assert size_of(text) == classes.shape
    assert classes_in(text) == set(np.unique(classes).tolist()) - {IGNORED}


@pytest.mark.parametrize(
    "text", ["", "2x3", "2x3:0,5", "2x3:0,7", "2x3:256,6", "2x3:0,0,1,6", "2x3:0,6,", "99999x99999:0,1", "2x3:a,6"]
)
def test_texts_that_encode_no_map_are_refused(text):
    with pytest.raises(ValueError, match=r"encodes no map|does not have"):
        decoded(text)


@pytest.mark.parametrize("text", ["{}", "[1]", "[[1,2,3,4,5]]", '[["a",0,0,1,1,0]]', "[[0,0,0,1,1,NaN]]", "[" * 5000])
def test_texts_that_encode_no_boxes_are_refused(text):
    with pytest.raises(ValueError, match=r"encodes no boxes|Expecting|recursion"):
        numbers_in(text)


def test_targets_with_a_fault_are_named():
    masks, boxes, image = Masks(("a", "b")), Boxes(("a",)), _image()
    assert "3x1" not in (masks.target_error(Example("x", (image,), encoded(np.zeros((10, 12))))) or "")
    assert "12x10" in masks.target_error(Example("x", (image,), encoded(np.zeros((1, 3)))))
    assert "class 2" in masks.target_error(Example("x", (image,), encoded(np.full((10, 12), 2))))
    for box, word in (
        (Box(1, 0, 0, 1, 1), "class 1"),
        (Box(0, 0, 0, 13, 1), "outside"),
        (Box(0, -1, 0, 3, 1), "outside"),
        (Box(0, 2, 2, 2, 5), "no area"),
        (Box(0, 0, 0, float("nan"), 1), "finite"),
    ):
        assert word in boxes.target_error(Example("x", (image,), (box,)))


def test_predictions_of_another_size_name_their_example():
    with pytest.raises(PluginError, match="b: the prediction is a map of another size"):
        Masks(("a", "b")).arrays(["1x2:0,2"], Predictions(("b",), objects(["2x1:0,2"])))


def test_settings_without_a_sense_are_refused():
    for make in (lambda: Masks(("one",)), lambda: Masks(("a", "b"), window=3), lambda: Boxes(())):
        with pytest.raises(UsageError):
            make()


@pytest.mark.parametrize(("width", "height", "side"), [(100, 40, 40), (33, 90, 40), (40, 40, 40), (97, 61, 32)])
def test_windows_cover_the_image_and_overlap(width, height, side):
    covered = np.zeros((height, width), dtype=int)
    for left, top, right, bottom in (found := windows(width, height, side)):
        covered[top:bottom, left:right] += 1
        assert (right - left, bottom - top) == (min(side, width), min(side, height))
    assert covered.min() >= 1
    lefts = sorted({window[0] for window in found})
    assert all(b - a <= side * (1 - OVERLAP) + 1 for a, b in itertools.pairwise(lefts))


def test_boxes_are_texts_of_the_best_hundred():
    rows = np.column_stack([np.zeros(120), np.zeros((120, 2)), np.ones((120, 2)), np.arange(120) / 120])
    found = numbers_in(prediction_text(rows))
    assert len(found) == 100
    assert found[0, 5] == pytest.approx(119 / 120, abs=1e-6)
    assert numbers_in(target_text([Box(1, 0, 0, 2, 3, True)])).tolist() == [[1, 0, 0, 2, 3, 1]]


def test_pictures_are_jpeg_unless_they_are_not_wanted():
    example = TestMasks.examples[0]
    drawn = Masks(("ground", "cat", "dog")).picture(example, (example.target,), example.target)
    assert drawn.startswith(b"\xff\xd8\xff")
    assert Masks(("a", "b"), has_pictures=False).picture(example, (example.target,), "") is None
    boxes = Boxes(("猫", "dog"))
    text = prediction_text(np.array([[0, 1, 1, 5, 5, 0.9], [7, 0, 0, 2, 2, 0.8]]))
    assert boxes.picture(example, ("[]",), text).startswith(b"\xff\xd8\xff")
