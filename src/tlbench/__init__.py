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
from tlbench.contracts.batches.batch_executor import BatchExecutorPlugin, JobState
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
from tlbench.contracts.fits.job import Job
from tlbench.contracts.fits.other_models import LoadedBackbone, OtherOutput, OtherTask
from tlbench.contracts.fits.predictor import Predictor
from tlbench.contracts.fits.task_info import SpaceContext, TaskInfo
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
from tlbench.metrics.builtin import METRICS
from tlbench.system.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Unpack

    import pandas as pd

    from tlbench.api.checked_options import FindOptions, RunOptions
    from tlbench.api.find_function import FindResult
    from tlbench.api.run_function import RunResult
    from tlbench.running.prediction.loaded_model import LoadedModel

__all__ = [
    "METRICS",
    "Answer",
    "Backbone",
    "BatchExecutorPlugin",
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
    "JobState",
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
    "carry_out_share",
    "carve",
    "divide",
    "draw",
    "find",
    "hookimpl",
    "load",
    "load_records",
    "local_executor",
    "run",
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


def local_executor(request: ExecutorRequest) -> Executor:
    """Returns the executor `isolated` of this machine, for workers that other executors start elsewhere."""
    from tlbench.running.executors.isolated import Isolated

    return Isolated().start(request)


def carry_out_share(path: Path) -> int:
    """Runs the cells of a share that have no record, for the jobs of a `BatchExecutorPlugin`; returns their number."""
    from tlbench.running.batch_jobs.carry_share import carry_out_share

    return carry_out_share(path)


def run(
    suite: str | Path | None = None,
    *,
    tasks: str | Sequence[str] = (),
    backbones: str | Sequence[str] = (),
    strategies: str | Sequence[str] = (),
    out: str | Path | None = None,
    trials: int | None = None,
    seeds: int | Sequence[int] | None = None,
    progress: bool = True,
    **options: Unpack[RunOptions],
) -> RunResult:
    """Runs a suite, or tasks x backbones x strategies, and returns the records and the leaderboard.

        result = tlbench.run(tasks="sst2-lite", backbones=["minilm-l6"], strategies=["linear-probe"], trials=8)
        result.frame()

    The same as `tlbench run`: cells that are finished in the folder are not run again, names apply to a suite as those
    of the command do, and baselines are added. Nothing is printed but a progress bar, in a notebook or a terminal.

    Args:
        suite: Name or file of a suite.
        tasks: One name or several, as of `tlbench list tasks`, or of your own data, such as "csv:reviews.csv".
        backbones: Names of backbones.
        strategies: Names of strategies.
        out: The folder of results; None for the default one.
        trials: Settings of hyperparameters to try in each cell.
        seeds: A number of seeds, or the seeds themselves.
        progress: Whether to show a progress bar.
        **options: Fields of the protocol (`sampler`, `pruner`, `max_steps`, `epochs`, `train_limit`, `train_fraction`,
            `shots`, `validation`, `folds`, `final`, `max_seconds`, `precision`), `settings` (values of hyperparameters
            that are not searched), `like`, `baselines`, and where and what to run: `executor`, `jobs`, `device`,
            `max_memory`, `fresh`, `keep_models`. Each means what the option of `tlbench run` means.

    Raises:
        UsageError: An argument, a name, a file or the folder cannot be used.
        KeyboardInterrupt: It was interrupted; what is finished is kept, and the same call does the rest.
    """
    from tlbench.api.run_function import run_suite

    axes = {"tasks": tasks, "backbones": backbones, "strategies": strategies}
    return run_suite(suite, axes, out, progress, options, {"trials": trials, "seeds": seeds})


def find(
    task: str,
    minutes: float = 10.0,
    *,
    backbones: str | Sequence[str] = (),
    strategies: str | Sequence[str] = (),
    out: str | Path | None = None,
    progress: bool = True,
    **options: Unpack[FindOptions],
) -> FindResult:
    """Finds the best backbone and strategy for a task within a time, and returns the answer and the trained winner.

        found = tlbench.find("csv:reviews.csv", minutes=10)
        found.winner.predict(["A warm, funny film."])

    The same as `tlbench find`: an equal call goes on where an interrupted one was stopped, and one that has ended is
    not repeated. Nothing is printed but a progress bar, in a notebook or a terminal.

    Args:
        task: A task, or your own data.
        minutes: The budget: searching, final fits and scoring.
        backbones: Names or patterns of the backbones to try; all on this machine if there are none.
        strategies: Names of the strategies to try; one of each usual family if there are none.
        out: The folder of results; None for the default one.
        progress: Whether to show a progress bar.
        **options: `policy`, `until`, `max_parameters`, `max_latency_ms`, `licences`, `max_steps`, `train_limit`,
            `precision`, `seed`, `executor`, `jobs`, `device`, `max_memory`, `fresh`. Each means what the option of
            `tlbench find` means.

    Raises:
        UsageError: An argument, a name, a file or the folder cannot be used.
        KeyboardInterrupt: It was interrupted; what is finished is kept, and an equal call goes on with the time left.
    """
    from tlbench.api.find_function import find_winner

    return find_winner(task, minutes, {"backbones": backbones, "strategies": strategies}, out, progress, options)


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
