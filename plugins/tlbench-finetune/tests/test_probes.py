"""The probes of tlbench-finetune over several settings and seeds at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from tlbench_finetune.features import FeaturePredictor
from tlbench_finetune.mlp import MlpProbe
from tlbench_finetune.probe import LinearProbe

import tlbench.training
from tlbench import Diverged, Job, Protocol, Strategy, Task
from tlbench.modeling.data import Data
from tlbench.testing.jobs import make_job
from tlbench.testing.toys import ToyBackbone, ToyScalarTask, ToyTask

PROTOCOL = Protocol(max_steps=6, precision="fp32")
TASKS: list[Task] = [ToyTask(), ToyScalarTask()]


def _jobs(strategy: Strategy, task: Task, params: Sequence[dict[str, float]]) -> list[Job]:
    """Returns jobs of one process, one seed each."""
    job = make_job(strategy, ToyBackbone(), task, params[0], PROTOCOL)
    return [
        dataclasses.replace(job, params=one, seed=seed, train=job.train.take(range(seed, 40 + seed)), notes={})
        for seed, one in enumerate(params)
    ]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
@pytest.mark.parametrize(
    ("strategy", "params"),
    [
        (LinearProbe(), [{"l2": 1e-3}, {"l2": 1e-3}, {"l2": 1.0}]),
        (MlpProbe(hidden=8), [{"lr": lr, "weight_decay": 0.1} for lr in (1e-2, 1e-2, 1e-3)]),
    ],
    ids=lambda value: value.name if isinstance(value, Strategy) else "",
)
def test_a_seed_without_features_costs_no_other_seed(
    task: Task, strategy: Strategy, params: list[dict[str, float]]
) -> None:
    jobs = _jobs(strategy, task, params)
    whole = jobs[1].activations

    class Holed:
        """Has no finite features for the second job's examples."""

        def features(self, encoder: Any, data: Data, precision: str) -> torch.Tensor:
            found = whole.features(encoder, data, precision)
            return found * torch.nan if data.fingerprint == jobs[1].train.fingerprint else found

    holed = [dataclasses.replace(job, activations=Holed()) for job in jobs]
    first, second, third = strategy.fit_batch(holed)
    assert isinstance(second, Diverged)
    for job, predictor in ((jobs[0], first), (jobs[2], third)):
        expected = strategy.fit(job).predict(job.validation)
        np.testing.assert_allclose(predictor.predict(job.validation).values, expected.values, rtol=1e-3, atol=1e-3)
    assert [len(r) for r in [strategy.fit_batch(holed[1:2])]] == [1], "not even when nothing is left"


def test_an_mlp_that_diverges_poisons_no_other() -> None:
    params = [{"lr": lr, "weight_decay": 0.1} for lr in (1e-2, float("inf"), 1e-2)]
    jobs = _jobs(MlpProbe(hidden=8), ToyTask(), params)
    first, second, third = MlpProbe(hidden=8).fit_batch(jobs)
    assert isinstance(second, Diverged)
    assert isinstance(first, FeaturePredictor)
    assert isinstance(third, FeaturePredictor)
    with pytest.raises(Diverged, match="not finite"):
        MlpProbe(hidden=8).fit(jobs[1])


def test_an_mlp_trains_as_long_as_the_protocol_says() -> None:
    for protocol, steps in [
        (Protocol(max_steps=7, precision="fp32"), 7),
        (Protocol(epochs=2, precision="fp32"), 8),
        (Protocol(precision="fp32"), 200),
    ]:
        job = make_job(MlpProbe(), ToyBackbone(), ToyTask(), protocol=protocol)
        MlpProbe(train_batch_size=16).fit(job)
        assert job.notes["steps"] == steps
        assert job.train.meter.rows == steps * 16


def test_same_data_is_solved_once_whatever_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    solve_logistic = tlbench.training.solve_logistic

    def counting(problems: Any, classes: int) -> Any:
        asked.extend(len(problem.penalties) for problem in problems)
        return solve_logistic(problems, classes)

    monkeypatch.setattr(tlbench.training, "solve_logistic", counting)
    job = make_job(LinearProbe(), ToyBackbone(), ToyTask(), protocol=PROTOCOL)
    jobs = [dataclasses.replace(job, seed=seed, params={"l2": l2}) for seed in (0, 1, 2) for l2 in (0.1, 1.0)]
    predictors = LinearProbe().fit_batch(jobs)
    assert asked == [2]
    answers = [predictor.predict(job.validation).scores for predictor in predictors]  # type: ignore[union-attr]
    assert np.array_equal(answers[0], answers[2])
    assert not np.array_equal(answers[0], answers[1])
