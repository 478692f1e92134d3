"""Averages of weights: their conformance on toy tasks, and that they are the averages they are called."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from tlbench_finetune.finetuning.weight_averaging import WeightAveraging
from tlbench_finetune.finetuning.whole import FullFinetune

from tlbench import Predictions, Protocol, Strategy, UsageError
from tlbench.testing.conformance import StrategyConformance
from tlbench.testing.jobs import toy_job, weights_of
from tlbench.training import ModelPredictor

PROTOCOL = Protocol(max_steps=12, precision="fp32")
PRUNED = Protocol(max_steps=6, precision="fp32", pruner="median")


class TestMovingAverage(StrategyConformance):
    strategy = WeightAveraging()
    protocol = PRUNED


class TestGreedySoup(StrategyConformance):
    strategy = WeightAveraging(kind="greedy-soup", models=2)
    protocol = Protocol(max_steps=3, precision="fp32")


def test_a_moving_average_moves_less_than_what_it_averages() -> None:
    def distance(strategy: Strategy, **params: float) -> float:
        job = toy_job(strategy, **params)
        before = weights_of(job.encoder)
        strategy.fit(job)
        return sum(float((w - before[n]).square().sum()) for n, w in weights_of(job.encoder).items())

    assert 0 < distance(WeightAveraging(), decay=0.99) < distance(FullFinetune())


def test_a_uniform_soup_is_the_mean_of_its_members(monkeypatch: pytest.MonkeyPatch) -> None:
    strategy = WeightAveraging(kind="uniform-soup", models=3)
    job, members, rates = toy_job(strategy), [], []
    real = WeightAveraging.train

    def train(self, model, one, *arguments, **options):  # type: ignore[no-untyped-def]
        predictor = real(self, model, one, *arguments, **options)
        members.append(weights_of(model))
        rates.append(one.params["lr"])
        return predictor

    monkeypatch.setattr(WeightAveraging, "train", train)
    predictor = strategy.fit(job)
    assert isinstance(predictor, ModelPredictor)
    assert rates == pytest.approx([5e-3 / 4, 5e-3, 5e-3 * 4])
    for name, weight in weights_of(predictor.model).items():
        assert torch.allclose(weight, torch.stack([one[name] for one in members]).mean(0), atol=1e-7)
    assert [job.notes[f"member_{number}"] for number in range(3)] == [1.0, 1.0, 1.0]


class _Scores:
    """A `Job.score` that gives the next of some scores, whatever the predictor."""

    def __init__(self, *scores: float) -> None:
        self.scores = list(scores)

    def __call__(self, predictor: object) -> float:
        return self.scores.pop(0)


def test_a_greedy_soup_takes_the_members_that_do_not_lower_the_validation_score() -> None:
    strategy = WeightAveraging(kind="greedy-soup", models=3)
    # The members score .5, .8 and .6; the second with the third .7, which is lower, and with the first .8.
    job = dataclasses.replace(toy_job(strategy), score=_Scores(0.5, 0.8, 0.6, 0.7, 0.8))
    strategy.fit(job)
    assert [job.notes[f"member_{number}"] for number in range(3)] == [1.0, 1.0, 0.0]


def test_a_soup_without_a_validation_split_takes_the_members_of_the_search() -> None:
    strategy = WeightAveraging(kind="greedy-soup", models=3)
    searched = {"member_0": 0.0, "member_1": 1.0, "member_2": 0.4}
    job = dataclasses.replace(toy_job(strategy), held_out=None, searched=searched)
    strategy.fit(job)
    assert [job.notes[f"member_{number}"] for number in range(3)] == [0.0, 1.0, 0.0]


def test_a_soup_of_one_is_refused() -> None:
    with pytest.raises(UsageError, match="at least 2 models"):
        WeightAveraging(kind="uniform-soup", models=1)


def test_predictions_are_of_the_averaged_weights() -> None:
    strategy = WeightAveraging()
    job = toy_job(strategy, decay=0.9)
    predictor = strategy.fit(job)
    assert isinstance(predictor, ModelPredictor)
    again: Predictions = ModelPredictor(predictor.model).predict(job.validation)
    assert np.array_equal(predictor.predict(job.validation).scores, again.scores)
