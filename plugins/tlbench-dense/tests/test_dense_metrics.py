"""Metrics of both kinds: conformance, and equality with torchmetrics and with pycocotools' own evaluation."""

import contextlib
import io

import numpy as np
import pytest
from tlbench_dense.detection.coco_matches import evaluation
from tlbench_dense.scoring.box_metrics import AveragePrecision, AveragePrecision50, AverageRecall
from tlbench_dense.scoring.box_report import box_report
from tlbench_dense.scoring.mask_metrics import BoundaryF1, MeanIoU, PixelAccuracy
from tlbench_dense.scoring.pixel_counts import pixel_report
from tlbench_dense.standalone.box_texts import Box, prediction_text, target_text
from tlbench_dense.standalone.class_runs import IGNORED, decoded, encoded

from tlbench.metrics.resampling import score
from tlbench.metrics.scored import Scored, objects
from tlbench.testing.conformance import MetricConformance

CLASSES = 4
SIDE = 100
FEW, MOST = 100, 30


def random_maps(seed: int, n: int, right: float = 0.5, side: int = 12) -> Scored:
    """Maps of rectangles, with ignored pixels; about the share `right` of the predicted pixels is right."""
    rng = np.random.default_rng(seed)
    targets, values = [], []
    for _ in range(n):
        wanted = np.full((side, side), int(rng.integers(CLASSES)))
        for _ in range(3):
            top, left = rng.integers(0, side, 2)
            wanted[top : top + 5, left : left + 5] = int(rng.integers(CLASSES))
        wanted[rng.random(wanted.shape) < 0.1] = IGNORED
        hit = np.kron(rng.random((side // 3, side // 3)) < right, np.ones((3, 3), dtype=bool))
        values.append(encoded(np.where(hit & (wanted != IGNORED), wanted, int(rng.integers(CLASSES)))))
        targets.append((encoded(wanted),))
    return Scored(objects(targets), objects(values))


def random_boxes(seed: int, n: int, right: float = 0.5) -> Scored:
    """Boxes with crowds, tiny boxes, images without objects and images without predictions; scores have no ties."""
    rng = np.random.default_rng(seed)
    targets, values = [], []
    for _ in range(n):
        boxes, found = [], []
        for _ in range(int(rng.integers(0, 6))):
            extent = rng.uniform(0.5, 3, 2) if rng.random() < 0.2 else rng.uniform(5, 50, 2)
            left, top = rng.uniform(0, SIDE - extent)
            box = Box(int(rng.integers(3)), left, top, left + extent[0], top + extent[1], bool(rng.random() < 0.1))
            boxes.append(box)
            if rng.random() < right:
                shifted = np.array(box[1:5]) + np.tile(rng.normal(0, 0.05, 2) * extent, 2)
                found.append([box.label, *shifted, rng.uniform(0.3, 1)])
        for _ in range(int(rng.binomial(4, 1 - right))):
            left, top = rng.uniform(0, SIDE - 20, 2)
            found.append([int(rng.integers(3)), left, top, left + 20, top + 15, rng.uniform(0, 0.7)])
        targets.append((target_text(boxes),))
        values.append(prediction_text(np.array(found, dtype=float).reshape(-1, 6)))
    return Scored(objects(targets), objects(values))


class _OfMaps(MetricConformance):
    def answers(self, output, seed, n, right=0.5):
        # Fewer than asked for where only means are compared, since matching takes its time.
        return random_maps(seed, min(n, MOST) if n != FEW else n, right)


class _OfBoxes(MetricConformance):
    def answers(self, output, seed, n, right=0.5):
        return random_boxes(seed, min(n, MOST), right)

    @pytest.mark.skip("70,000 images would take pycocotools minutes; weights of 700 are those of the next test")
    def test_many_examples_are_summed_as_few_are(self):
        """Average precision is no sum of statistics that could overflow."""


class TestMeanIoU(_OfMaps):
    metric = MeanIoU()


class TestPixelAccuracy(_OfMaps):
    metric = PixelAccuracy()


class TestBoundaryF1(_OfMaps):
    metric = BoundaryF1()


class TestAveragePrecision(_OfBoxes):
    metric = AveragePrecision()


class TestAveragePrecision50(_OfBoxes):
    metric = AveragePrecision50()


class TestAverageRecall(_OfBoxes):
    metric = AverageRecall()


@pytest.mark.equivalence
@pytest.mark.parametrize("seed", range(3))
def test_segmentation_equals_torchmetrics(seed):
    import torch
    from torchmetrics.functional.classification import multiclass_accuracy, multiclass_jaccard_index

    scored = random_maps(seed, 6)
    wanted = torch.from_numpy(np.stack([decoded(target[0]) for target in scored.targets])).long()
    given = torch.from_numpy(np.stack([decoded(value) for value in scored.values])).long()
    options = {"num_classes": CLASSES, "ignore_index": IGNORED}
    theirs = multiclass_jaccard_index(given, wanted, average="macro", **options)
    assert score(MeanIoU(), scored) == pytest.approx(float(theirs), abs=1e-6)
    theirs = multiclass_accuracy(given, wanted, average="micro", **options)
    assert score(PixelAccuracy(), scored) == pytest.approx(float(theirs), abs=1e-6)


@pytest.mark.equivalence
@pytest.mark.parametrize("seed", range(4))
def test_detection_equals_pycocotools(seed):
    scored = random_boxes(seed, 25, right=0.7)
    coco = evaluation(scored)
    with contextlib.redirect_stdout(io.StringIO()):
        coco.accumulate()
    precision, recall = coco.eval["precision"], coco.eval["recall"]
    theirs = {
        AveragePrecision: precision[:, :, :, 0, -1],
        AveragePrecision50: precision[:1, :, :, 0, -1],
        AverageRecall: recall[:, :, 0, -1],
    }
    for metric, values in theirs.items():
        assert 0.05 < score(metric(), scored) == pytest.approx(values[values > -1].mean(), abs=1e-6)


def test_a_crowd_is_neither_hit_nor_missed():
    target = (target_text([Box(0, 0, 0, 10, 10), Box(0, 20, 20, 90, 90, True)]),)
    inside = prediction_text(np.array([[0, 0, 0, 10, 10, 0.9], [0, 30, 30, 50, 50, 0.95]]))
    outside = prediction_text(np.array([[0, 0, 0, 10, 10, 0.9], [0, 30, 0, 50, 15, 0.95]]))
    assert score(AveragePrecision(), Scored(objects([target]), objects([inside]))) == pytest.approx(1)
    assert score(AveragePrecision(), Scored(objects([target]), objects([outside]))) == pytest.approx(0.5)


def test_predictions_on_images_without_objects_cost_precision():
    box = prediction_text(np.array([[0, 0, 0, 10, 10, 0.9]]))
    with_object, without = (target_text([Box(0, 0, 0, 10, 10)]),), ("[]",)
    quiet = Scored(objects([with_object, without]), objects([box, "[]"]))
    loud = Scored(objects([with_object, without]), objects([box.replace("0.9", "0.5"), box]))
    assert score(AveragePrecision50(), quiet) == pytest.approx(1)
    assert score(AveragePrecision50(), loud) == pytest.approx(0.5)
    assert score(AveragePrecision50(), Scored(objects([without]), objects([box]))) == 0


def test_boundaries_two_pixels_away_are_right_and_three_are_not():
    wanted, near, far = (np.zeros((20, 20), dtype=int) for _ in range(3))
    wanted[:, 10:], near[:, 12:], far[:, 13:] = 1, 1, 1
    target = objects([(encoded(wanted),)])
    assert score(BoundaryF1(), Scored(target, objects([encoded(near)]))) == pytest.approx(1)
    assert score(BoundaryF1(), Scored(target, objects([encoded(far)]))) < 0.6


def test_reports_count_by_hand():
    scored = Scored(objects([("1x6:0,3,1,2,255,1",)]), objects(["1x6:0,2,1,4"]))
    report = pixel_report(("a", "b"), [scored, scored])
    assert [(row.precision, row.recall, row.support) for row in report.classes] == [
        (1, pytest.approx(2 / 3), 3), (pytest.approx(2 / 3), 1, 2)
    ]  # fmt: skip
    assert report.confusion == ((0, 0, 4), (0, 1, 2), (1, 1, 4))
    boxes = Scored(
        objects([(target_text([Box(0, 0, 0, 10, 10), Box(0, 50, 50, 60, 60)]),)]),
        objects([prediction_text(np.array([[0, 0, 0, 10, 10, 0.9], [0, 20, 0, 30, 10, 0.4]]))]),
    )
    cat, dog = box_report(("cat", "dog"), [boxes]).classes
    assert (cat.precision, cat.recall, cat.support) == (1, 0.5, 2)
    assert (dog.f1, dog.support) == (0, 0)
