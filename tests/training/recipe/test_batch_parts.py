"""A step in parts is the step of the whole batch, up to rounding, and a batch that cannot be divided says why."""

import dataclasses

import pytest
import torch

from tlbench.contracts.cell import Protocol
from tlbench.contracts.errors import IndivisibleBatch
from tlbench.running.fitting.fit_status import status_of
from tlbench.testing.agreement import assert_same_in_fp64
from tlbench.testing.jobs import make_job
from tlbench.testing.toy_kinds import ToyLabelsTask, ToySpanTask, ToyWordsTask
from tlbench.testing.toys import ToyBackbone, ToyFit, ToyScalarTask, ToyTask
from tlbench.training import Model, train
from tlbench.training.recipe.batch_parts import divided
from tlbench.training.recipe.dropout import dropout
from tlbench.training.steps import Step, adds_up


def job_of(task, parts=1):
    job = make_job(ToyFit(), ToyBackbone(), task, {"lr": 5e-3, "steps": 4}, Protocol(max_steps=6, precision="fp32"))
    return dataclasses.replace(job, encoder=ToyBackbone().load().double(), head=job.head.double(), batch_parts=parts)


def weights(task, parts, **options):
    job = job_of(task, parts)
    model = Model(job.encoder, job.head)
    with dropout(model, 0.0):
        trained = train(model, job.train, job, batch_size=10, **options)
    rows = job.train.meter.rows if job.train.meter else None
    return torch.cat([one.detach().reshape(-1) for one in trained.model.parameters()]), job.notes["last_loss"], rows


@pytest.mark.parametrize("parts", [2, 4])
@pytest.mark.parametrize("task", [ToyTask(), ToyScalarTask(), ToyLabelsTask(), ToyWordsTask(), ToySpanTask()])
def test_batches_in_parts_train_as_whole_ones_do(task, parts):
    whole, divided_ = weights(task, 1), weights(task, parts)
    assert_same_in_fp64(divided_[0], whole[0])
    assert divided_[1] == pytest.approx(whole[1], rel=1e-6)
    assert divided_[2] == whole[2]


@pytest.mark.parametrize("task", [ToyTask(), ToyWordsTask()])
def test_class_weights_keep_their_meaning_in_parts(task):
    assert_same_in_fp64(weights(task, 3, class_weight="balanced")[0], weights(task, 1, class_weight="balanced")[0])


def test_a_loss_that_adds_up_may_be_divided_and_another_may_not():
    def penalised(step):
        return step.task_loss() + 0.1 * sum(weight.square().sum() for weight in step.model.parameters())

    assert_same_in_fp64(weights(ToyTask(), 2, loss=adds_up(penalised))[0], weights(ToyTask(), 1, loss=penalised)[0])
    with pytest.raises(IndivisibleBatch, match="all rows of a batch together") as raised:
        weights(ToyTask(), 2, loss=Step.task_loss)
    # For the runner it is what it is: memory that ran out.
    assert status_of(raised.value)[0] == "oom"


def test_batch_normalisation_is_not_divided():
    job = job_of(ToyTask(), 2)
    model = Model(job.encoder, job.head)
    model.head.norm = torch.nn.BatchNorm1d(3).double()
    with pytest.raises(IndivisibleBatch, match="batch normalisation"):
        train(model, job.train, job)


def test_rows_are_divided_evenly_and_none_is_lost():
    assert divided([5, 3, 8, 1, 9], 2) == [[5, 3], [8, 1, 9]]
    assert divided([5], 4) == [[5]]
