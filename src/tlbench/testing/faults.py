"""Plugins that misbehave on purpose, and a task that watches its own seal; a plugin module of its own.

What has to be known across processes (whether the winner is frozen, who read the test split, whether the crash
already happened) stands in files whose paths are environment variables, so that the names of cells stay free of
paths and a worker process inherits them.
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
from tlbench.contracts.outputs import Predictions
from tlbench.contracts.space import Float, Space
from tlbench.contracts.strategy import About, Job, Predictor, Strategy
from tlbench.contracts.task import Examples, SplitName, Task
from tlbench.testing.process_faults import (
    MET,
    ExitingStrategy,
    InterruptingStrategy,
    LitteringStrategy,
    SlowStrategy,
    append,
)
from tlbench.testing.toys import ToyBackbone, ToyFit, ToyTask

FROZEN = "TLBENCH_TOY_FROZEN"
"""A glob pattern: a file that matches says that the winner is frozen. Unset, the seal is never open."""
READS = "TLBENCH_TOY_READS"
"""A file to which every read of a split of `SealedTask` appends the split's name on a line."""


@dataclass(frozen=True)
class SealedTask(ToyTask):
    """The toy task; its test split raises unless a file says that the winner is frozen."""

    name = "toy-sealed"

    def split(self, name: SplitName) -> Examples | None:
        """Returns the split; notes each read in the file of `TLBENCH_TOY_READS`.

        Raises:
            SealBroken: The test split was asked for and no file matches `TLBENCH_TOY_FROZEN`.
        """
        if READS in os.environ:
            append(Path(os.environ[READS]), name)
        if name == "test" and not glob.glob(os.environ.get(FROZEN, ""), recursive=True):
            raise SealBroken("the test split was read before the winner was frozen")
        return super().split(name)


@dataclass(frozen=True)
class BrokenTask(ToyTask):
    """The toy task; one split raises."""

    name = "toy-broken"

    breaks: Literal["train", "validation", "test"] = "train"

    def split(self, name: SplitName) -> Examples | None:
        """Returns the split.

        Raises:
            OSError: It is the broken one.
        """
        if name == self.breaks:
            raise OSError(f"the file of {name} is gone")
        return super().split(name)


@dataclass(frozen=True)
class FailingStrategy(ToyFit):
    """Raises in a share of its trials; the hyperparameter `x` decides which."""

    name = "toy-failing"

    share: float = 1.0

    def space(self, about: About) -> Space:
        """Returns the toy's space and `x`."""
        return {**ToyFit.space(self, about), "x": Float(0.0, 1.0)}

    def fit(self, job: Job) -> Predictor:
        """Returns what the toy returns.

        Raises:
            RuntimeError: x is within the share.
        """
        if float(job.params["x"]) <= self.share:
            raise RuntimeError("this strategy fails on purpose")
        return ToyFit.fit(self, job)


@dataclass(frozen=True)
class DivergingStrategy(ToyFit):
    """Ends in numbers that are not finite: says so itself, or leaves it to be found."""

    name = "toy-diverging"

    how: Literal["raises", "weights", "scores"] = "raises"

    def fit(self, job: Job) -> Predictor:
        """Returns a predictor that is of no use.

        Raises:
            Diverged: `how` is "raises".
        """
        if self.how == "raises":
            raise Diverged("the loss is nan at step 1")
        if self.how == "scores":
            return NotFinite()  # type: ignore[return-value]  # a predictor may lack `save`, and so for those below
        predictor = ToyFit.fit(self, job)
        for parameter in job.head.parameters():
            parameter.data.fill_(float("nan"))
        return predictor


@dataclass(frozen=True)
class OutOfMemoryStrategy(Strategy):
    """Raises what torch raises on a device that is full, or what Python raises on a host that is."""

    name = "toy-oom"

    where: Literal["device", "host"] = "device"

    def fit(self, job: Job) -> Predictor:
        """Never returns.

        Raises:
            torch.OutOfMemoryError, MemoryError: Always.
        """
        import torch

        if self.where == "host":
            raise MemoryError
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB on purpose")


@dataclass(frozen=True)
class MeetingStrategy(ToyFit):
    """Fits when as many processes as `processes` have come to fit; fails where they do not come."""

    name = "toy-meeting"

    processes: int = 2
    patience_seconds: float = 120.0

    def fit(self, job: Job) -> Predictor:
        """Returns what the toy returns, after the meeting."""
        met = Path(os.environ[MET])
        append(met, str(os.getpid()))
        deadline = time.monotonic() + self.patience_seconds
        while len(set(met.read_text().split())) < self.processes:
            if time.monotonic() > deadline:
                raise TimeoutError(f"no other process came in {self.patience_seconds:g} s")
            time.sleep(0.005)
        return ToyFit.fit(self, job)


@dataclass(frozen=True)
class MeddlingStrategy(ToyFit):
    """Leaves the encoder in every state that the next fit must not see."""

    name = "toy-meddling"

    structure: bool = False
    """Also puts another module in place of one of the encoder's."""

    def fit(self, job: Job) -> Predictor:
        """Returns what the toy returns; weights, buffers, gradients, modes and hooks of the encoder are changed."""
        import torch

        predictor = ToyFit.fit(self, job)
        native: Any = job.encoder.native
        with torch.no_grad():
            for tensor in (*native.parameters(), *native.buffers()):
                tensor.add_(0.1)
        for parameter in list(native.parameters())[::2]:
            parameter.requires_grad_(False)
        native.blocks.train()
        native.blocks[0].register_forward_hook(lambda module, inputs, output: output * 2)
        if self.structure:
            native.blocks[-1].mlp = torch.nn.Identity()
        return NotSaved(predictor)  # type: ignore[return-value]


@dataclass(frozen=True)
class PeekingStrategy(ToyFit):
    """Asks for the test split."""

    name = "toy-peeking"

    def fit(self, job: Job) -> Predictor:
        """Returns what the toy returns, if the seal lets it come so far."""
        job.examples("test")
        return ToyFit.fit(self, job)


@dataclass(frozen=True)
class ShortStrategy(ToyFit):
    """Its predictor answers one example too few."""

    name = "toy-short"

    def fit(self, job: Job) -> Predictor:
        """Returns a predictor that loses the last example."""
        return OneTooFew(ToyFit.fit(self, job))  # type: ignore[return-value]


class NotFinite:
    """Answers class 0 with a probability that is not a number."""

    def predict(self, data: Any) -> Predictions:
        """Returns an answer for each example, and scores of NaN."""
        import numpy as np

        return Predictions(data.ids, np.zeros(len(data.ids), dtype=np.int64), np.full((len(data.ids), 2), np.nan))


class NotSaved:
    """Answers as another predictor, and has no `save`."""

    def __init__(self, inner: Predictor) -> None:
        self.predict = inner.predict


class OneTooFew:
    """Answers all examples but the last."""

    def __init__(self, inner: Predictor) -> None:
        self.inner = inner

    def predict(self, data: Any) -> Predictions:
        """Returns an answer for each example but one."""
        full = self.inner.predict(data)
        return Predictions(full.ids[:-1], full.values[:-1], None if full.scores is None else full.scores[:-1])


@dataclass(frozen=True)
class ImportingBackbone(ToyBackbone):
    """The toy, with a module that takes long to import, or so it says."""

    name = "toy-importing"
    imports: ClassVar[tuple[str, ...]] = ("wave",)


@hookimpl
def tlbench_backbones() -> Iterable[Backbone]:
    """Returns the one that imports."""
    return [ImportingBackbone()]


@hookimpl
def tlbench_tasks() -> Iterable[Task]:
    """Returns the sealed and the broken task."""
    return [SealedTask(), BrokenTask()]


@hookimpl
def tlbench_strategies() -> Iterable[Strategy]:
    """Returns one strategy for each fault."""
    return [
        FailingStrategy(),
        DivergingStrategy(),
        OutOfMemoryStrategy(),
        SlowStrategy(),
        ExitingStrategy(),
        InterruptingStrategy(),
        LitteringStrategy(),
        MeetingStrategy(),
        MeddlingStrategy(),
        PeekingStrategy(),
        ShortStrategy(),
    ]
