"""tlbench compares pretrained backbones and ways to adapt them on your tasks, at an equal budget.

This module is the public API for plugins, and imports nothing heavy. Code that needs torch is in `tlbench.modeling`
(encoders, heads, data) and `tlbench.training` (a training loop for strategies); `tlbench.testing` has conformance
tests for plugins. A plugin that adds a task:

    from tlbench import Classes, Example, Examples, Task, hookimpl

    class Parity(Task):
        name, modality, metrics = "parity", "text", ("accuracy",)
        output = Classes(("even", "odd"))

        def split(self, name):
            ranges = {"train": range(100), "test": range(100, 200)}
            if name not in ranges:
                return None
            return Examples(Example(str(n), (f"the number {n}",), n % 2) for n in ranges[name])

    @hookimpl
    def tlbench_tasks():
        return [Parity()]

The hooks are described in `tlbench.catalog.hookspecs`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlbench.catalog.hookspecs import hookimpl
from tlbench.contracts.backbone import Backbone, Card, Classifier, Vocabulary
from tlbench.contracts.cell import Cell, Protocol
from tlbench.contracts.errors import DataError, Diverged, FitEnded, PluginError, Pruned, TlbenchError, UsageError
from tlbench.contracts.executor import (
    Capacity,
    Executor,
    ExecutorRequest,
    Fit,
    FitOrder,
    Handle,
    OrderResult,
    OutOfTime,
    WorkerLost,
)
from tlbench.contracts.fits.about import SpaceContext, TaskInfo
from tlbench.contracts.fits.job import Job
from tlbench.contracts.fits.others import LoadedBackbone, OtherOutput, OtherTask
from tlbench.contracts.fits.predictor import Predictor
from tlbench.contracts.images.image_file import ImageFile
from tlbench.contracts.metric import Metric
from tlbench.contracts.outputs import (
    Answer,
    Classes,
    MultiLabel,
    Output,
    Predictions,
    Scalar,
    Span,
    Text,
    TokenClasses,
)
from tlbench.contracts.policies.policy import Candidate, Outcome, Policy, Proposal, Situation
from tlbench.contracts.record import FitResult, Record
from tlbench.contracts.renderer import Renderer
from tlbench.contracts.resources import Resources, Trainable
from tlbench.contracts.space import Choice, Float, Int, Space, Value, When
from tlbench.contracts.strategy import Strategy
from tlbench.contracts.task import Example, Examples, SplitName, Task
from tlbench.contracts.tracking.tracked_run import TrackedRun
from tlbench.data.carving import carve, divide
from tlbench.data.drawing import draw
from tlbench.metrics import METRICS
from tlbench.system.version import VERSION

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from tlbench.running.prediction.loaded_model import LoadedModel

__all__ = [
    "METRICS",
    "Answer",
    "Backbone",
    "Candidate",
    "Capacity",
    "Card",
    "Cell",
    "Choice",
    "Classes",
    "Classifier",
    "DataError",
    "Diverged",
    "Example",
    "Examples",
    "Executor",
    "ExecutorRequest",
    "Fit",
    "FitEnded",
    "FitOrder",
    "FitResult",
    "Float",
    "Handle",
    "ImageFile",
    "Int",
    "Job",
    "LoadedBackbone",
    "Metric",
    "MultiLabel",
    "OrderResult",
    "OtherOutput",
    "OtherTask",
    "OutOfTime",
    "Outcome",
    "Output",
    "PluginError",
    "Policy",
    "Predictions",
    "Predictor",
    "Proposal",
    "Protocol",
    "Pruned",
    "Record",
    "Renderer",
    "Resources",
    "Scalar",
    "Situation",
    "Space",
    "SpaceContext",
    "Span",
    "SplitName",
    "Strategy",
    "Task",
    "TaskInfo",
    "Text",
    "TlbenchError",
    "TokenClasses",
    "TrackedRun",
    "Trainable",
    "UsageError",
    "Value",
    "Vocabulary",
    "When",
    "WorkerLost",
    "carry_out",
    "carve",
    "divide",
    "draw",
    "hookimpl",
    "load",
    "load_records",
]

# From the lowest layer, since records of a fit have the version too and no layer may import this module.
__version__ = VERSION


def carry_out(order: FitOrder, isolated: bool = False) -> OrderResult:
    """Runs an order in this process and returns its result; the workers of every executor call it.

    An exception of a plugin becomes part of the result and is never raised. Weights, tokens and activations are kept in
    memory for the next order. Imports torch.

    Args:
        order: The fits to run, or the predictions to score.
        isolated: Whether this process belongs to a worker alone. A KeyboardInterrupt is then a plugin's failure, while
            in the user's own process it ends the run.
    """
    # Imported here, so that `import tlbench` does not import torch.
    from tlbench.running.fitting.process import carry_out

    return carry_out(order, isolated)


def load(cell: str, out: str | Path | None = None, *, device: str = "auto", seed: int | None = None) -> LoadedModel:
    """Returns the winner of a finished cell, for predicting new rows.

        model = tlbench.load("5f5a612b", out="results")
        model.predict(["A warm, funny film.", "Two hours too long."])

    The kept model is loaded (`tlbench run --keep-models`), or else the winner is fitted again as its record says, which
    takes as long as it took then, and its test predictions are compared with the stored ones. Imports torch.

    Args:
        cell: The id of the cell, the beginning of its id, or its title "backbone | task | strategy".
        out: The folder of results; None for the default one.
        device: `auto`, `cpu`, `cuda` or `cuda:<n>`; `auto` is the device of the record if this machine has it.
        seed: The seed of the final fit; None for that with the best validation score.

    Raises:
        UsageError: There is no such cell, it has no scores, or it cannot be rebuilt here.
    """
    from tlbench.running.prediction.loaded_model import loaded_model

    return loaded_model(cell, out, device, seed)


def load_records(folder: str | Path | None = None) -> pd.DataFrame:
    """Returns the leaderboard of a folder of results: one row for each finished cell, best first within each task.

    The columns are those of `tlbench leaderboard -f csv`. Imports pandas.

    Args:
        folder: The folder of results; None for the default one.

    Raises:
        UsageError: The folder has no results.
    """
    from tlbench.results.reading.record_frame import record_frame

    return record_frame(folder)
