from __future__ import annotations

import random

import pytest
import torch

from tlbench.contracts.cell import Protocol
from tlbench.contracts.errors import SealBroken
from tlbench.contracts.space import Choice, Float, Int
from tlbench.testing.faults import BrokenTask
from tlbench.testing.jobs import Rehearsal, draw, make_job, middle
from tlbench.testing.toys import ToyBackbone, ToyFit, ToyMajority, ToyTask

PROTOCOL = Protocol(train_limit=20, precision="fp32")


def test_a_job_holds_what_the_protocol_says():
    job = make_job(ToyFit(), ToyBackbone(), ToyTask(unlabeled=5), protocol=PROTOCOL, seed=3)
    assert (len(job.train), len(job.validation), job.seed) == (20, 32, 3)
    assert len(job.unlabeled()) == 5 + 44
    assert job.params == {"lr": pytest.approx(0.01), "steps": 10}
    assert job.task.metric == "accuracy"
    assert not job.encoder.training
    with pytest.raises(SealBroken):
        job.examples("test")


def test_a_job_can_be_fitted_and_scored():
    job = make_job(ToyFit(), ToyBackbone(), ToyTask(), {"lr": 0.05, "steps": 8})
    predictor = ToyFit().fit(job)
    assert 0 <= job.score(predictor) <= 1
    assert predictor.predict(job.validation).ids == job.validation.ids


def test_a_seed_gives_the_same_head_and_the_same_draws():
    drawn = []
    for seed in (0, 0, 1):
        job = make_job(ToyFit(), ToyBackbone(), ToyTask(), seed=seed)
        drawn.append((job.head.linear.weight.detach().clone(), torch.rand(3)))
    assert all(torch.equal(a, b) for a, b in zip(drawn[0], drawn[1], strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(drawn[0], drawn[2], strict=True))


def test_a_blind_strategy_gets_no_encoder():
    job = make_job(ToyMajority(), ToyBackbone(), ToyTask())
    assert job.encoder is None
    assert len(set(ToyMajority().fit(job).predict(job.validation).values.tolist())) == 1


def test_a_strategy_that_needs_a_backbone_must_get_one():
    with pytest.raises(ValueError, match="needs a backbone"):
        make_job(ToyFit(), None, ToyTask())


def test_a_job_that_cannot_be_made_says_why():
    with pytest.raises(RuntimeError, match="the file of train is gone"):
        make_job(ToyFit(), ToyBackbone(), BrokenTask())


def test_params_are_drawn_within_their_space():
    space = {"a": Float(1e-4, 1e-1, log=True), "b": Int(2, 5), "c": Choice(("x", "y", "z")), "d": Float(-1, 3)}
    assert middle(space) == {"a": pytest.approx(10**-2.5), "b": 4, "c": "y", "d": 1.0}
    generator = random.Random(0)
    drawn = [draw(space, generator) for _ in range(200)]
    assert {params["b"] for params in drawn} == {2, 3, 4, 5}
    assert {params["c"] for params in drawn} == {"x", "y", "z"}
    assert all(1e-4 <= params["a"] <= 1e-1 and -1 <= params["d"] <= 3 for params in drawn)
    assert sum(params["a"] < 10**-2.5 for params in drawn) in range(60, 140)


def test_a_rehearsal_stays_warm():
    rehearsal = Rehearsal(ToyFit(), ToyBackbone(), ToyTask(), PROTOCOL)
    first = rehearsal.encoder.fresh()
    rehearsal.fit()
    assert rehearsal.encoder.fresh() is first
    assert [len(rehearsal.data(split)) for split in ("train", "validation")] == [64, 32]


def test_a_rehearsal_fits_several_seeds_each_on_its_own_subset():
    rehearsal = Rehearsal(ToyFit(), ToyBackbone(), ToyTask(), Protocol(seeds=(0, 1), train_limit=20, precision="fp32"))
    fitted = rehearsal.fit_batch([{"lr": 0.05, "steps": 8}] * 3, [0, 1, 1])
    assert [one.result.seed for one in fitted] == [0, 1, 1]
    losses = [one.result.notes["last_loss"] for one in fitted]
    assert losses[0] != losses[1]
    with pytest.raises(ValueError, match="zip"):
        rehearsal.fit_batch([None, None], [0])
