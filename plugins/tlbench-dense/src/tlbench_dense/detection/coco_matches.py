"""Which predicted boxes hit an object, as pycocotools' own evaluation decides for each image."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from tlbench_dense.standalone.box_texts import MOST_BOXES, numbers_in

if TYPE_CHECKING:
    from tlbench.metrics.scored import Scored


@dataclass(frozen=True)
class ClassMatches:
    """The predicted boxes of one class in all images, best first, and its objects."""

    images: np.ndarray
    """(D,) the image of each box."""
    scores: np.ndarray
    """(D,), falling."""
    hits: np.ndarray
    """(T, D) bool: whether the box hits an object, for each least overlap."""
    misses: np.ndarray
    """(T, D) bool: whether it hits none. A box in a crowd is neither."""
    objects: np.ndarray
    """(N,) the number of objects, without crowds, in each image."""


@dataclass(frozen=True)
class Matches:
    """The matches of all classes that have an object or a prediction."""

    overlaps: np.ndarray
    """(T,) least intersection over union: 0.5, 0.55, ... 0.95."""
    of_class: dict[int, ClassMatches]


_known: WeakKeyDictionary[Scored, Matches] = WeakKeyDictionary()


def matches(scored: Scored) -> Matches:
    """Returns the matches of predictions with their targets, computed once for all metrics of the same predictions."""
    if scored not in _known:
        _known[scored] = _matched(scored)
    return _known[scored]


def evaluation(scored: Scored) -> Any:
    """Returns pycocotools' `COCOeval` of predictions, evaluated for each image but not summed up.

    Objects of all sizes count alike, and up to `MOST_BOXES` predictions of each class in an image.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truth, found = COCO(), COCO()
    images = [{"id": number + 1} for number in range(len(scored))]
    objects_, boxes = [], []
    for number, (target, value) in enumerate(zip(scored.targets, scored.values, strict=True), 1):
        objects_ += [_annotation(row, number, iscrowd=int(row[5])) for row in numbers_in(target[0]).tolist()]
        boxes += [_annotation(row, number, score=row[5], iscrowd=0) for row in numbers_in(value).tolist()]
    classes = sorted({one["category_id"] for one in (*objects_, *boxes)})
    for side, listed in ((truth, objects_), (found, boxes)):
        numbered = [{"id": number, **one} for number, one in enumerate(listed, 1)]
        side.dataset = {"images": images, "annotations": numbered, "categories": [{"id": index} for index in classes]}
    # pycocotools prints its progress.
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        found.createIndex()
        coco = COCOeval(truth, found, "bbox")
        coco.params.maxDets = [1, 10, MOST_BOXES]
        coco.params.areaRng, coco.params.areaRngLbl = [[0, 1e10]], ["all"]
        coco.evaluate()
    return coco


def _annotation(row: list[float], image: int, **more: Any) -> dict[str, Any]:
    label, left, top, right, bottom = row[:5]
    box = [left, top, right - left, bottom - top]
    return {"image_id": image, "category_id": int(label), "bbox": box, "area": box[2] * box[3], **more}


def _matched(scored: Scored) -> Matches:
    coco = evaluation(scored)
    overlaps, count = np.asarray(coco.params.iouThrs), len(scored)
    of_class: dict[int, list[Any]] = {}
    for found in coco.evalImgs:
        if found is not None:
            of_class.setdefault(int(found["category_id"]), []).append(found)
    return Matches(overlaps, {index: _of_class(found, count, len(overlaps)) for index, found in of_class.items()})


def _of_class(found: list[dict[str, Any]], count: int, overlaps: int) -> ClassMatches:
    objects_ = np.zeros(count, dtype=np.int64)
    images, scores, matched, ignored = [], [], [], []
    for one in found:
        image, number = one["image_id"] - 1, len(one["dtScores"])
        objects_[image] = int((np.asarray(one["gtIgnore"]) == 0).sum())
        images.append(np.full(number, image))
        scores.append(np.asarray(one["dtScores"], dtype=np.float64))
        matched.append(np.asarray(one["dtMatches"]).reshape(overlaps, number) > 0)
        ignored.append(np.asarray(one["dtIgnore"]).reshape(overlaps, number) > 0)
    of_images, of_scores = np.concatenate(images), np.concatenate(scores)
    order = np.argsort(-of_scores, kind="stable")
    hits, out = np.concatenate(matched, axis=1)[:, order], np.concatenate(ignored, axis=1)[:, order]
    return ClassMatches(of_images[order], of_scores[order], hits & ~out, ~hits & ~out, objects_)
