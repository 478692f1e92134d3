"""Strategies of a third party that read a teacher or another task keep what every strategy must, over the toys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from tlbench import Float, Job, PluginError, Predictor, Protocol, Space, SpaceContext, Strategy
from tlbench.testing.conformance import StrategyConformance
from tlbench.testing.jobs import Rehearsal, make_job
from tlbench.testing.toys import ToyBackbone, ToyScalarTask, ToyTask


@dataclass(frozen=True)
class Distilled(Strategy):
    """Learns to read as a wider teacher does, beside the task (Romero et al. 2015, arXiv:1412.6550)."""

    name: ClassVar[str] = "distilled"
    teacher: str = "toy[width=32]"

    def needs(self) -> tuple[str, ...]:
        return (f"backbone:{self.teacher}",)

    def space(self, about: SpaceContext) -> Space:
        return {"lr": Float(1e-3, 1e-2, log=True)}

    def model(self, job: Job) -> Any:
        from tlbench.training import Model

        return Model(job.encoder, job.head)

    def fit(self, job: Job) -> Predictor:
        import torch

        from tlbench.training import Step, train

        def features() -> Any:
            teacher = job.backbone(self.teacher)
            data = teacher.featurize(job.train.examples)
            with torch.no_grad():
                hidden = teacher.encoder(data.batch(range(len(data))))
                return teacher.encoder.pool(hidden)

        wanted = job.once("features", features)
        assert wanted.shape == (len(job.train), 32)

        def loss(step: Step) -> Any:
            mine = step.model.encoder.pool(step.model.encoder(step.batch))
            theirs = wanted[list(step.rows)]
            apart = torch.cdist(mine, mine) / mine.shape[1] - torch.cdist(theirs, theirs) / 32
            return step.task_loss() + apart.square().mean()

        return train(self.model(job), job.train, job, loss=loss)

    def load(self, job: Job, folder: Any) -> Predictor:
        from tlbench.training import ModelPredictor

        return ModelPredictor.load(self.model(job), job, folder)


@dataclass(frozen=True)
class Intermediate(Distilled):
    """Trains on another task first (Phang et al. 2018, arXiv:1811.01088), and then the head alone."""

    name: ClassVar[str] = "intermediate"
    source: str = "toy-count"

    def needs(self) -> tuple[str, ...]:
        return (f"task:{self.source}",)

    def model(self, job: Job) -> Any:
        from tlbench.training import Model

        return Model(job.encoder, job.head, start=len(job.encoder.stages))

    def fit(self, job: Job) -> Predictor:
        from tlbench.training import Model, train

        other = job.other(self.source)
        train(Model(job.encoder, other.new_head()), other.train, job)
        return train(self.model(job), job.train, job)


class Misnamed(Distilled):
    def needs(self) -> Any:
        return "backbone:toy"


class TestDistilled(StrategyConformance):
    strategy = Distilled()


class TestIntermediate(StrategyConformance):
    strategy = Intermediate()

    def test_its_source_is_not_among_what_it_is_tried_on(self) -> None:
        assert [task.name for task in self._supported()] == ["toy-tone", "toy-labels", "toy-names", "toy-span"]


def test_a_job_has_what_its_strategy_needs() -> None:
    job = make_job(Distilled(), ToyBackbone(), ToyTask())
    assert job.backbone("toy[width=32]").encoder.width == 32
    with pytest.raises(PluginError, match="which its needs\\(\\) do not name"):
        job.other("toy-count")
    other = make_job(Intermediate(), ToyBackbone(), ToyTask()).other("toy-count")
    assert len(other.train) == 64


def test_where_nothing_can_be_tried_each_reason_is_said() -> None:
    check = type("Check", (StrategyConformance,), {"strategy": Intermediate(source="nowhere")})()
    with pytest.raises(AssertionError, match="it needs task:nowhere: unknown task 'nowhere'"):
        check.test_fits()


def test_needs_that_are_none_are_refused() -> None:
    with pytest.raises(PluginError, match="distilled: needs\\(\\) returned 'backbone:toy', not a tuple"):
        Rehearsal(Misnamed(), ToyBackbone(), ToyTask())


def test_the_own_task_under_another_name_is_not_given() -> None:
    """Its labels beyond `train_limit` are what a fit must not see."""
    strategy, protocol = Intermediate(source="toy-count"), Protocol(train_limit=8, max_steps=2, precision="fp32")
    fitted = Rehearsal(strategy, ToyBackbone(), ToyScalarTask(), protocol).fit()
    assert fitted.result.status == "failed"
    assert "the strategy reads task:toy-count, whose training examples are those of task itself" in fitted.result.reason
