"""The bag-of-words baseline: a linear model on TF-IDF of words and parts of words, without a backbone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from tlbench import Backbone, Classes, Job, MultiLabel, Predictor, Scalar, Strategy, Task, UsageError

GRID = (0.3, 3.0, 30.0)
"""Inverse penalties C to choose from, as in scikit-learn; the rows of a text's features have length 1 for each unit."""


@dataclass(frozen=True)
class Tfidf(Strategy):
    """Logistic or ridge regression on TF-IDF of word 1-2-grams and character 2-5-grams within words.

    The penalty is chosen among three on the validation split. A pair of texts has the features of each text and five
    measures of their overlap. The baseline's score shows how much of the task can be solved by words alone.
    """

    name: ClassVar[str] = "tfidf"
    paper: ClassVar[str] = "Zhang et al. 2015, arXiv:1509.01626 (the TF-IDF baselines)"
    family: ClassVar[str] = "baseline"
    uses_backbone: ClassVar[bool] = False
    is_baseline: ClassVar[bool] = True

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns the reason why a task is not supported (no text, or no class, label or number for it), or None."""
        if not isinstance(task.output, Classes | MultiLabel | Scalar):
            return f"tfidf predicts classes, labels or a number of a text, not {type(task.output).__name__}"
        return None if task.modality == "text" else f"tfidf counts words, but {task.name} has {task.modality}s"

    def fit(self, job: Job) -> Predictor:
        """Returns a linear model of the training texts' n-grams, with the best of three penalties."""
        from tlbench_finetune.baselines.linear_models import fit_linear
        from tlbench_finetune.baselines.text_features import TextFeatures

        return fit_linear(job, *TextFeatures.fit(job.train.examples), GRID)

    def load(self, job: Job, folder: Path) -> Predictor:
        """Returns the predictor saved in a folder.

        Raises:
            UsageError: The folder holds no such predictor for the job's output.
        """
        from tlbench.modeling.predictor_files import read_settings
        from tlbench_finetune.baselines.linear_models import LinearModel, LinearPredictor, read_arrays
        from tlbench_finetune.baselines.text_features import UNITS, NGrams, TextFeatures, width_of

        output = job.task.output
        settings = read_settings(folder, TextFeatures.__name__, output)
        if not _is_valid(settings, UNITS):
            raise UsageError(f"{folder} holds no valid n-grams: {settings!s:.80}; fit tfidf again")
        grams = {unit: tuple(settings[unit]) for unit in UNITS}
        shapes: dict[str, tuple[int, ...]] = {f"{unit}.idf": (len(grams[unit]),) for unit in UNITS}
        width = width_of([len(grams[unit]) for unit in UNITS], settings["inputs"])
        arrays = read_arrays(output, folder, shapes, width)
        parts = tuple(NGrams(unit, grams[unit], arrays[f"{unit}.idf"]) for unit in UNITS)
        model = LinearModel(arrays["weights"], arrays["bias"])
        return LinearPredictor(output, TextFeatures(parts, settings["inputs"]), model)


def _is_valid(settings: dict[str, Any], units: tuple[str, ...]) -> bool:
    inputs = settings.get("inputs")
    if not isinstance(inputs, int) or isinstance(inputs, bool) or inputs < 1:
        return False
    lists = [settings.get(unit) for unit in units]
    # N-grams must differ: a repeated one would leave a column of the weights without an n-gram.
    return all(
        isinstance(grams, list) and all(isinstance(gram, str) for gram in grams) and len(set(grams)) == len(grams)
        for grams in lists
    )
