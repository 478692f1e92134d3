"""The colour baseline: a linear model on the histogram of an image's colours, without a backbone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tlbench import Backbone, Classes, Job, MultiLabel, Predictor, Scalar, Strategy, Task, UsageError

GRID = (1e-4, 1e-3, 1e-2, 1e-1)
"""Inverse penalties C to choose from, as in scikit-learn; the features are standardised."""


@dataclass(frozen=True)
class ColourHistogram(Strategy):
    """Logistic or ridge regression on an 8 x 8 x 8 RGB histogram and moments of hue, saturation and value.

    The penalty is chosen among four on the validation split. The baseline's score shows how much of the task can be
    solved by colours alone, without shapes.
    """

    name: ClassVar[str] = "colour-histogram"
    family: ClassVar[str] = "baseline"
    paper: ClassVar[str] = (
        "Swain & Ballard 1991, doi:10.1007/BF00130487; as a baseline: Chapelle et al. 1999, doi:10.1109/72.788646"
    )
    uses_backbone: ClassVar[bool] = False
    is_baseline: ClassVar[bool] = True

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns the reason why a task is not supported (no image, or no class, label or number for it), or None."""
        if not isinstance(task.output, Classes | MultiLabel | Scalar):
            return f"colour-histogram predicts classes, labels or a number, not {type(task.output).__name__}"
        return None if task.modality == "image" else f"colour-histogram reads images, but {task.name} has texts"

    def fit(self, job: Job) -> Predictor:
        """Returns a linear model of the training images' colours, with the best of four penalties.

        Raises:
            DataError: An image cannot be read.
        """
        from tlbench_finetune.baselines.colours import ColourFeatures
        from tlbench_finetune.baselines.linear_models import fit_linear

        return fit_linear(job, *ColourFeatures.fit(job.train.examples), GRID)

    def load(self, job: Job, folder: Path) -> Predictor:
        """Returns the predictor saved in a folder.

        Raises:
            UsageError: The folder holds no such predictor for the job's output.
        """
        from tlbench.modeling.predictor_files import read_settings
        from tlbench_finetune.baselines.colours import LEVELS, WIDTH, ColourFeatures
        from tlbench_finetune.baselines.linear_models import LinearModel, LinearPredictor, read_arrays

        output = job.task.output
        settings = read_settings(folder, ColourFeatures.__name__, output)
        if settings != {"levels": LEVELS}:
            raise UsageError(f"{folder} holds another histogram: {settings!s:.80}; fit colour-histogram again")
        arrays = read_arrays(output, folder, {"mean": (WIDTH,), "deviation": (WIDTH,)}, WIDTH)
        if not (arrays["deviation"] > 0).all():
            raise UsageError(f"{folder}: a saved deviation is not above 0; fit colour-histogram again")
        features = ColourFeatures(arrays["mean"], arrays["deviation"])
        return LinearPredictor(output, features, LinearModel(arrays["weights"], arrays["bias"]))
