"""The jobs of auxiliary fits: what they share with the job of the fit, and what they have no access to."""

from __future__ import annotations

import pytest

from tlbench.contracts.cell import Protocol
from tlbench.contracts.errors import PluginError
from tlbench.contracts.fits.job import Job
from tlbench.contracts.strategy import Strategy
from tlbench.testing.jobs import make_job
from tlbench.testing.toys import ToyBackbone, ToyTask
from tlbench.training import Model, other_task_job, teacher_job, train


class Needy(Strategy):
    """Needs a wider teacher and another task."""

    name = "needy"

    def needs(self) -> tuple[str, ...]:
        return ("backbone:toy[width=24]", "task:toy-count")


@pytest.fixture
def job() -> Job:
    return make_job(Needy(), ToyBackbone(), ToyTask(unlabeled=8), {}, Protocol(max_steps=2, precision="fp32"))


def test_a_teacher_is_adapted_to_the_same_training_examples(job: Job) -> None:
    own = teacher_job(job, job.backbone("toy[width=24]"), {"lr": 1e-3})
    assert own.encoder.width == own.card().width == 24
    assert own.train.ids == job.train.ids
    assert own.params == {"lr": 1e-3}
    assert (own.seed, own.protocol.max_steps, own.task) == (job.seed, 2, job.task)
    before = job.encoder.native.norm.weight.clone()
    assert train(Model(own.encoder, own.head), own.train, own).predict(own.train).ids == job.train.ids
    assert bool((job.encoder.native.norm.weight == before).all())
    assert not job.notes


def test_the_job_s_own_encoder_is_adapted_to_another_task(job: Job) -> None:
    other = job.other("toy-count")
    own = other_task_job(job, other, {"lr": 1e-3})
    assert own.encoder is job.encoder
    assert own.train is other.train
    assert own.task.name == "toy-count"
    before = job.encoder.native.norm.weight.clone()
    train(Model(own.encoder, own.head), own.train, own)
    assert not bool((job.encoder.native.norm.weight == before).all())
    assert own.notes["steps"] == 2
    assert not job.notes


def test_an_auxiliary_fit_has_the_training_examples_alone(job: Job) -> None:
    for own in (teacher_job(job, job.backbone("toy[width=24]"), {}), other_task_job(job, job.other("toy-count"), {})):
        assert own.held_out is None
        assert own.examples("train") is own.train.examples
        assert own.examples("validation") is None
        assert own.unlabeled() is None
        own.report(1, 0.5)
        with pytest.raises(PluginError, match="no validation split"):
            own.score(None)  # type: ignore[arg-type]  # no predictor is needed to be refused
