"""Saved predictors: each can be loaded by the strategy that saved it, and by no other."""

from __future__ import annotations

import copy
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tlbench_finetune.baselines.lead import Lead
from tlbench_finetune.baselines.majority import Majority
from tlbench_finetune.baselines.word_majority import WordMajority
from tlbench_finetune.finetuning.frozen_below import HeadOnly, PartialFinetune
from tlbench_finetune.finetuning.whole import FullFinetune
from tlbench_finetune.plugin import tlbench_strategies
from tlbench_finetune.probes.linear_probe import LinearProbe
from tlbench_finetune.probes.mlp_probe import MlpProbe

from tlbench import Classes, Job, MultiLabel, Protocol, Scalar, Strategy, Task, TokenClasses, UsageError
from tlbench.modeling.predictor_files import SETTINGS
from tlbench.testing.jobs import make_job
from tlbench.testing.toy_kinds import ToyLabelsTask, ToySpanTask, ToyWordsTask
from tlbench.testing.toys import ToyBackbone, ToyScalarTask, ToyTask

PROTOCOL = Protocol(max_steps=3, precision="fp32")
MLP = MlpProbe(hidden=8)


def _job(strategy: Strategy, task: Task) -> Job:
    return make_job(strategy, ToyBackbone(), task, protocol=PROTOCOL)


def _saved(strategy: Strategy, task: Task, folder: Path) -> Path:
    strategy.fit(_job(strategy, task)).save(folder)
    return folder


@pytest.mark.parametrize(
    ("saved", "loading"),
    [
        (LinearProbe(), MLP),
        (MLP, LinearProbe()),
        (MLP, MlpProbe(hidden=4)),
        (MLP, MlpProbe(hidden=8, layers=2)),
        (MLP, MlpProbe(hidden=8, activation="relu")),
        (Majority(), LinearProbe()),
        (LinearProbe(), Majority()),
        (LinearProbe(), HeadOnly()),
        (HeadOnly(), LinearProbe()),
        (HeadOnly(), FullFinetune()),
        (PartialFinetune(stages=1), PartialFinetune(stages=2)),
    ],
    ids=lambda strategy: f"{strategy.name}-{getattr(strategy, 'layers', '')}",
)
def test_another_strategys_predictor_is_refused(saved: Strategy, loading: Strategy, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=str(tmp_path)):
        loading.load(_job(loading, ToyTask()), _saved(saved, ToyTask(), tmp_path))


@pytest.mark.parametrize("strategy", tlbench_strategies(), ids=lambda strategy: strategy.name)
def test_a_predictor_of_another_task_is_refused(strategy: Strategy, tmp_path: Path) -> None:
    tasks = [ToyTask(), ToyScalarTask(), ToyLabelsTask(), ToyWordsTask(), ToySpanTask()]
    supported = [task for task in tasks if strategy.supports(ToyBackbone(), task) is None]
    for number, task in enumerate(supported):
        folder = _saved(strategy, task, tmp_path / str(number))
        job = _job(strategy, task)
        others = [_job(strategy, other) for other in supported if other is not task]
        if isinstance(task.output, Classes | MultiLabel):
            renamed = dataclasses.replace(task.output, names=task.output.names[::-1])
            others.append(_renamed(job, renamed))
        for other in others:
            with pytest.raises(UsageError):
                strategy.load(other, folder)
        strategy.load(job, folder).predict(job.validation)


def _renamed(job: Job, output: Any) -> Job:
    """Returns the job with heads and a task whose classes have other names."""

    def renamed(head: Any) -> Any:
        if head is not None:
            head.output = output
        return head

    info, new_head = dataclasses.replace(job.task, output=output), job.new_head
    own = renamed(copy.deepcopy(job.head))
    return dataclasses.replace(job, task=info, head=own, new_head=lambda encoder: renamed(new_head(encoder)))


@pytest.mark.parametrize(
    ("task", "settings"),
    [
        (ToyTask(), {"value": 2, "scores": [0.5, 0.5]}),
        (ToyTask(), {"value": True, "scores": [0.5, 0.5]}),
        (ToyTask(), {"value": 1, "scores": [1.0]}),
        (ToyTask(), {"value": 1, "scores": None}),
        (ToyScalarTask(), {"value": "1.0", "scores": None}),
        (ToyScalarTask(), {"value": 1.0, "scores": [1.0]}),
        (ToyLabelsTask(), {"value": 1, "scores": [0.5, 0.5, 0.5]}),
        (ToyLabelsTask(), {"value": [0, 1, 2], "scores": [0.5, 0.5, 0.5]}),
        (ToyLabelsTask(), {"value": [0, 1], "scores": [0.5, 0.5, 0.5]}),
        (ToyScalarTask(), {"value": float("nan"), "scores": None}),
        (ToyWordsTask(), {"value": 99, "scores": None}),
        (ToyWordsTask(), {"value": 0, "scores": [1.0]}),
        (ToyWordsTask(), {}),
        (ToyWordsTask(), {"known": [], "other": 0}),
        (ToyWordsTask(), {"known": {"a": 99}, "other": 0}),
        (ToyWordsTask(), {"known": {"a": 0}, "other": -1}),
    ],
    ids=str,
)
def test_an_answer_that_the_task_does_not_have_is_refused(task: Task, settings: dict[str, Any], tmp_path: Path) -> None:
    strategy = WordMajority() if "known" in settings else Majority()
    _with_settings(_saved(strategy, task, tmp_path), settings)
    with pytest.raises(UsageError, match="holds no valid"):
        strategy.load(_job(strategy, task), tmp_path)


@pytest.mark.parametrize("words", [-1, "2", None, True, 1.5])
def test_no_number_of_words_is_refused(words: Any, tmp_path: Path) -> None:
    _with_settings(_saved(Lead(), ToySpanTask(), tmp_path), {"words": words})
    with pytest.raises(UsageError, match="whole number from 0"):
        Lead().load(_job(Lead(), ToySpanTask()), tmp_path)


def _with_settings(folder: Path, settings: dict[str, Any]) -> None:
    written = json.loads((folder / SETTINGS).read_text())
    (folder / SETTINGS).write_text(json.dumps({**written, "settings": settings}))


def test_a_head_of_half_precision_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    file = _saved(LinearProbe(), ToyTask(), tmp_path) / "model.safetensors"
    save_file({name: weight.half() for name, weight in load_file(file).items()}, file)
    with pytest.raises(UsageError, match="float16"):
        LinearProbe().load(_job(LinearProbe(), ToyTask()), tmp_path)
    file = _saved(HeadOnly(), ToyTask(), tmp_path) / "model.safetensors"
    save_file({name: weight.half() for name, weight in load_file(file).items()}, file)
    with pytest.raises(UsageError, match="float16"):
        HeadOnly().load(_job(HeadOnly(), ToyTask()), tmp_path)


@pytest.mark.parametrize("strategy", [LinearProbe(), MLP], ids=lambda strategy: strategy.name)
def test_a_loaded_probe_answers_to_the_bit_and_counts_as_many_weights(strategy: Strategy, tmp_path: Path) -> None:
    """Several settings are solved together, and a map then lies in memory by column."""
    job = _job(strategy, ToyTask())
    jobs = [dataclasses.replace(job, params={**job.params, "l2": l2, "lr": 1e-2}, notes={}) for l2 in (1e-3, 1.0)]
    for number, predictor in enumerate(strategy.fit_batch(jobs)):
        predictor.save(tmp_path / str(number))  # type: ignore[union-attr]
        loaded = strategy.load(job, tmp_path / str(number))
        mine, theirs = (one.predict(job.validation).scores for one in (predictor, loaded))  # type: ignore[union-attr]
        assert np.array_equal(mine, theirs)
        for count in ("trainable_parameters", "parameters_total"):
            assert getattr(loaded, count) == getattr(predictor, count)
        head = loaded.head  # type: ignore[attr-defined]
        (tmp_path / str(number) / "model.safetensors").write_bytes(b"")
        assert bool(torch.isfinite(head.maps[0].weight if hasattr(head, "maps") else head.weight).all())


def test_numbers_and_answers_of_a_baseline_are_kept_as_they_are(tmp_path: Path) -> None:
    for number, task in enumerate([ToyScalarTask(train=7), ToyLabelsTask(train=7), ToyWordsTask(train=7)]):
        job = _job(Majority(), task)
        predictor = Majority().fit(job)
        predictor.save(tmp_path / str(number))
        mine, theirs = (
            one.predict(job.validation) for one in (predictor, Majority().load(job, tmp_path / str(number)))
        )
        assert mine.values.dtype == theirs.values.dtype
        assert np.array_equal(mine.values, theirs.values)
        assert isinstance(task.output, Scalar | TokenClasses) or np.array_equal(mine.scores, theirs.scores)
