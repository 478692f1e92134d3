"""A plugin with strategies that read another backbone or another task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from tlbench import Job, Predictor, Strategy, Task, hookimpl
from tlbench.testing.toys import ToyBackbone, ToyTask


@dataclass(frozen=True)
class Distil(Strategy):
    """Loads a wider teacher and computes its predictions on the training set (Hinton et al. 2015, arXiv:1503.02531)."""

    name: ClassVar[str] = "toy-distil"
    teacher: str = "toy-wide"
    asks: str = "toy-wide"
    """The backbone that it requests from the job, which may differ from the declared one."""

    def needs(self) -> tuple[str, ...]:
        return (f"backbone:{self.teacher}",)

    def fit(self, job: Job) -> Predictor:
        import torch

        from tlbench.training import Model, train

        def make() -> Any:
            loaded = job.backbone(self.asks)
            assert (loaded.about.backbone.name, loaded.about.task.name) == (self.asks, job.task.name)
            data, head = loaded.featurize(job.train.examples), loaded.new_head()
            with torch.no_grad():
                return head(loaded.encoder, loaded.encoder(data.batch(range(len(data))))).softmax(-1)

        soft = job.once("teacher", make)
        job.notes["width"] = float(job.backbone(self.asks).encoder.width)
        assert soft.shape == (len(job.train), 2)
        return train(Model(job.encoder, job.head), job.train, job)

    def space(self, about: Any) -> Any:
        from tlbench import Float

        return {"lr": Float(0.01, 0.02)}


@dataclass(frozen=True)
class Intermediate(Strategy):
    """Trains on another task first (Phang et al. 2018, arXiv:1811.01088)."""

    name: ClassVar[str] = "toy-intermediate"
    source: str = "toy-source"

    def needs(self) -> tuple[str, ...]:
        return (f"task:{self.source}",)

    def space(self, about: Any) -> Any:
        from tlbench import Float

        return {"lr": Float(0.01, 0.02)}

    def fit(self, job: Job) -> Predictor:
        from tlbench.training import Model, train

        other = job.other(self.source)
        job.notes["rows"] = float(len(other.train))
        assert other.task.name == self.source
        assert (other.about.backbone.name, other.about.task.name) == ("toy", self.source)
        train(Model(job.encoder, other.new_head()), other.train, job)
        return train(Model(job.encoder, job.head), job.train, job)


class Source(ToyTask):
    name = "toy-source"


class Leaky(ToyTask):
    """A task whose training examples are the test examples of toy-tone."""

    name = "toy-leaky"

    def split(self, name):
        return super().split("test" if name == "train" else name)


class Away(Task):
    name = "toy-away"
    modality = "text"
    output = ToyTask().output
    metrics = ("accuracy",)

    def missing(self):
        return "its file is not here"


class Wide(ToyBackbone):
    name = "toy-wide"


@hookimpl
def tlbench_backbones():
    return [Wide(width=32)]


@hookimpl
def tlbench_tasks():
    return [Source(train=40, draw=3), Leaky(), Away()]


@hookimpl
def tlbench_strategies():
    return [Distil(), Intermediate()]
