"""The plugin's hooks: tasks on scenes, tasks of your own annotations, metrics, a baseline and a suite."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from tlbench import Metric, Strategy, Task, hookimpl

SCHEMES = ("coco", "voc", "yolo", "masks")


@hookimpl
def tlbench_tasks() -> Iterable[Task]:
    """Returns the tasks on generated scenes."""
    from tlbench_dense.scenes.scene_tasks import DigitBoxes, DigitMasks

    return [DigitMasks(), DigitBoxes()]


@hookimpl
def tlbench_schemes() -> Mapping[str, str]:
    """Returns the forms of names of tasks made of your own annotated images."""
    return {f"{scheme}:<folder>": "task" for scheme in SCHEMES}


@hookimpl
def tlbench_resolve(kind: str, name: str) -> Task | None:
    """Returns the task made of a folder of annotated images.

    Raises:
        UsageError: The folder is missing or has changed.
    """
    scheme, colon, rest = name.partition(":")
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
