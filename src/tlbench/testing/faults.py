"""Plugins with faults, for tests of the runner, and a task that guards its test split. This module is a plugin.

State that several processes share, such as the splits that were read, is in files. Their paths are environment
variables, which workers inherit, rather than parameters of plugins, which would be part of a cell's identity.
"""

from __future__ import annotations

import glob
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from tlbench.catalog.hookspecs import hookimpl
from tlbench.contracts.backbone import Backbone
from tlbench.contracts.errors import Diverged, SealBroken
from tlbench.contracts.fits.job import Job
from tlbench.contracts.fits.predictor import Predictor
from tlbench.contracts.fits.task_info import SpaceContext
from tlbench.contracts.outputs import Predictions
from tlbench.contracts.space import Float, Space
from tlbench.contracts.strategy import Strategy
from tlbench.contracts.task import Examples, SplitName, Task
from tlbench.testing.process_faults import (
    MET,
    ExitingStrategy,
    HangingStrategy,
    HoardingStrategy,
    HoldingStrategy,
    InterruptingStrategy,
    LitteringStrategy,
    SlowStrategy,
    append,
)
from tlbench.testing.toys import ToyBackbone, ToyFit, ToyTask

FROZEN = "TLBENCH_TOY_FROZEN"
"""Environment variable with a glob pattern: the test split may be read only if a file matches the pattern.

If the variable is not set, the test split may not be read.
"""
READS = "TLBENCH_TOY_READS"
"""Environment variable with the path of a file to which `SealedTask` appends a line with each split that is read."""


@dataclass(frozen=True)
class SealedTask(ToyTask):
    """The toy task; reading its test split raises until a file matches the pattern in `TLBENCH_TOY_FROZEN`."""

    name = "toy-sealed"

    def split(self, name: SplitName) -> Examples | None:
        """Returns the split, and appends its name to the file of `TLBENCH_TOY_READS`.

        Raises:
            SealBroken: The test split was requested, and no file matches `TLBENCH_TOY_FROZEN`.
        """
        if READS in os.environ:
            append(Path(os.environ[READS]), name)
        # A pattern, since the path of a cell's folder is not known in advance.
        if name == "test" and not glob.glob(os.environ.get(FROZEN, ""), recursive=True):
            raise SealBroken("the test split was read before the winner was frozen")
        return super().split(name)


@dataclass(frozen=True)
class BrokenTask(ToyTask):
    """The toy task with one split that cannot be read."""

    name = "toy-broken"

    breaks: Literal["train", "validation", "test"] = "train"

    def split(self, name: SplitName) -> Examples | None:
        """Returns the split.

        Raises:
            OSError: The split that `breaks` names was requested.
        """
        if name == self.breaks:
            raise OSError(f"the file of {name} is gone")
        return super().split(name)


@dataclass(frozen=True)
class FailingStrategy(ToyFit):
    """Raises in the trials whose hyperparameter `x` is at most `share`."""

    name = "toy-failing"

    share: float = 1.0

    def space(self, about: SpaceContext) -> Space:
        """Returns the space of `toy-fit` and `x`."""
        return {**ToyFit.space(self, about), "x": Float(0.0, 1.0)}

    def fit(self, job: Job) -> Predictor:
        """Fits as `toy-fit`.

        Raises:
            RuntimeError: `x` is at most `share`.
        """
        if float(job.params["x"]) <= self.share:
            raise RuntimeError("this strategy fails on purpose")
        return ToyFit.fit(self, job)


@dataclass(frozen=True)
class DivergingStrategy(ToyFit):
    """Diverges: raises `Diverged` itself, or returns a predictor with weights or scores of NaN."""

    name = "toy-diverging"

    how: Literal["raises", "weights", "scores"] = "raises"

    def fit(self, job: Job) -> Predictor:
        """Returns a predictor that gives NaN.

        Raises:
            Diverged: If `how` is "raises".
        """
        if self.how == "raises":
            raise Diverged("the loss is nan at step 1")
        if self.how == "scores":
            return NotFinite()  # type: ignore[return-value]  # it has no `save`, which a predictor may lack; nor have those below
        predictor = ToyFit.fit(self, job)
        # A finite loss with broken weights: the runner must notice by itself.
        for parameter in job.head.parameters():
            parameter.data.fill_(float("nan"))
        return predictor


@dataclass(frozen=True)
class OutOfMemoryStrategy(Strategy):
    """Raises the out-of-memory error of torch, for the device, or of Python, for the host."""

    name = "toy-oom"

    where: Literal["device", "host"] = "device"

    def fit(self, job: Job) -> Predictor:
        """Always raises.

        Raises:
            torch.OutOfMemoryError: `where` is "device".
            MemoryError: `where` is "host".
        """
        import torch

        if self.where == "host":
            raise MemoryError
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB on purpose")


@dataclass(frozen=True)
class MeetingStrategy(ToyFit):
    """Fits once several processes are in `fit` at the same time, which proves that workers run concurrently."""

    name = "toy-meeting"

    processes: int = 2
    patience_seconds: float = 120.0
    """Time limit, in seconds, for the other processes to arrive."""

    def fit(self, job: Job) -> Predictor:
        """Fits as `toy-fit` after `processes` processes have arrived.

        Raises:
            TimeoutError: The other processes did not arrive in time.
        """
        met = Path(os.environ[MET])
        append(met, str(os.getpid()))
        # One line per process; only a second process can complete the set.
        deadline = time.monotonic() + self.patience_seconds
        while len(set(met.read_text().split())) < self.processes:
            if time.monotonic() > deadline:
                raise TimeoutError(f"fewer than {self.processes} processes arrived within {self.patience_seconds:g} s")
            time.sleep(0.005)
        return ToyFit.fit(self, job)


@dataclass(frozen=True)
class MeddlingStrategy(ToyFit):
    """Leaves changes of every kind in the encoder, which the runner must undo before the next fit."""

    name = "toy-meddling"

    structure: bool = False
    """Whether to replace one of the encoder's modules as well."""

    def fit(self, job: Job) -> Predictor:
        """Fits as `toy-fit`, and then changes weights, buffers, trainability, modes and hooks of the encoder."""
        import torch

        predictor = ToyFit.fit(self, job)
        native: Any = job.encoder.native
        with torch.no_grad():
            for tensor in (*native.parameters(), *native.buffers()):
                tensor.add_(0.1)
        # Every second one, so that neither "all frozen" nor "all trainable" describes the state.
        for parameter in list(native.parameters())[::2]:
            parameter.requires_grad_(False)
        native.blocks.train()
        native.blocks[0].register_forward_hook(lambda module, inputs, output: output * 2)
        if self.structure:
            native.blocks[-1].mlp = torch.nn.Identity()
        return NotSaved(predictor)  # type: ignore[return-value]


@dataclass(frozen=True)
class PeekingStrategy(ToyFit):
    """Reads the test split."""

    name = "toy-peeking"

    def fit(self, job: Job) -> Predictor:
        """Reads the test split, which raises `SealBroken` in a run, and then fits as `toy-fit`."""
        job.examples("test")
        return ToyFit.fit(self, job)


@dataclass(frozen=True)
class ShortStrategy(ToyFit):
    """Returns a predictor that omits one example."""

    name = "toy-short"

    def fit(self, job: Job) -> Predictor:
        """Returns a predictor that omits the last example."""
        return OneTooFew(ToyFit.fit(self, job))  # type: ignore[return-value]


class NotFinite:
    """Predicts class 0 with probabilities of NaN."""

    def predict(self, data: Any) -> Predictions:
        """Returns class 0 for each example, and probabilities of NaN."""
        import numpy as np

        return Predictions(data.ids, np.zeros(len(data.ids), dtype=np.int64), np.full((len(data.ids), 2), np.nan))


class NotSaved:
    """Returns the predictions of another predictor, but has no `save`."""

    def __init__(self, inner: Predictor) -> None:
        self.predict = inner.predict


class OneTooFew:
    """Predicts all examples but the last."""

    def __init__(self, inner: Predictor) -> None:
        self.inner = inner

    def predict(self, data: Any) -> Predictions:
        """Returns predictions for all examples but the last."""
        full = self.inner.predict(data)
        return Predictions(full.ids[:-1], full.values[:-1], None if full.scores is None else full.scores[:-1])


@dataclass(frozen=True)
class ImportingBackbone(ToyBackbone):
    """The toy backbone with a module in `imports`, which workers import before the first fit."""

    name = "toy-importing"
    # A small module of the standard library that nothing else here imports.
    imports: ClassVar[tuple[str, ...]] = ("wave",)


@hookimpl
def tlbench_backbones() -> Iterable[Backbone]:
    """Returns the backbone with imports."""
    return [ImportingBackbone()]


@hookimpl
def tlbench_tasks() -> Iterable[Task]:
    """Returns the guarded task and the broken one."""
    return [SealedTask(), BrokenTask()]


@hookimpl
def tlbench_strategies() -> Iterable[Strategy]:
    """Returns a strategy for each fault."""
    return [
        FailingStrategy(),
        DivergingStrategy(),
        OutOfMemoryStrategy(),
        SlowStrategy(),
        HangingStrategy(),
        HoardingStrategy(),
        HoldingStrategy(),
        ExitingStrategy(),
        InterruptingStrategy(),
        LitteringStrategy(),
        MeetingStrategy(),
        MeddlingStrategy(),
        PeekingStrategy(),
        ShortStrategy(),
    ]
