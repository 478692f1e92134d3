"""The plugin's hooks: tasks on scenes, tasks of your own annotations, metrics, a baseline and a suite."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tlbench import Metric, Strategy, Task, hookimpl


@hookimpl
def tlbench_tasks() -> Iterable[Task]:
    """Returns the tasks on generated scenes."""
    from tlbench_dense.scenes.scene_tasks import DigitBoxes, DigitMasks

    return [DigitMasks(), DigitBoxes()]


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
