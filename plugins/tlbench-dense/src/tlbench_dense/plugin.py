"""The plugin's hooks: tasks on scenes and on your own annotations, detectors, metrics, a baseline and a suite."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from tlbench import Backbone, Metric, Strategy, Task, hookimpl

SCHEMES = ("coco", "voc", "yolo", "masks")


@hookimpl
def tlbench_tasks() -> Iterable[Task]:
    """Returns the tasks on generated scenes."""
    from tlbench_dense.scenes.scene_tasks import DigitBoxes, DigitMasks

    return [DigitMasks(), DigitBoxes()]


@hookimpl
def tlbench_schemes() -> Mapping[str, str]:
    """Returns the forms of names of tasks made of your own annotated images, and of detectors."""
    return {**{f"{scheme}:<folder>": "task" for scheme in SCHEMES}, "detr:<folder>": "backbone"}


@hookimpl
def tlbench_resolve(kind: str, name: str) -> Task | Backbone | None:
    """Returns the task made of a folder of annotated images, or the backbone of a folder with a detector.

    Raises:
        UsageError: The folder is missing or has changed, or has no detector.
    """
    scheme, colon, rest = name.partition(":")
    if kind == "backbone" and scheme == "detr" and colon:
        from tlbench_dense.detr.detr_backbone import resolve_detr

        return resolve_detr(name)
    if kind != "task" or not colon or scheme not in SCHEMES:
        return None
    from tlbench_dense.sources.dense_task import resolve

    return resolve(scheme, rest)


@hookimpl
def tlbench_metrics() -> Iterable[Metric]:
    """Returns the metrics of segmentation and detection."""
    from tlbench_dense.scoring.box_metrics import AveragePrecision, AveragePrecision50, AverageRecall
    from tlbench_dense.scoring.mask_metrics import BoundaryF1, MeanIoU, PixelAccuracy

    return [MeanIoU(), PixelAccuracy(), BoundaryF1(), AveragePrecision(), AveragePrecision50(), AverageRecall()]


@hookimpl
def tlbench_strategies() -> Iterable[Strategy]:
    """Returns the baseline without a backbone."""
    from tlbench_dense.commonest_map import CommonestMap

    return [CommonestMap()]


@hookimpl
def tlbench_suites() -> Iterable[Path]:
    """Returns the suite files of this package."""
    return sorted((Path(__file__).parent / "suites").glob("*.toml"))
