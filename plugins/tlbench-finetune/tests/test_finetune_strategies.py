"""The strategies of tlbench-finetune on toy tasks: the conformance checks, and what each one does differently."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch
from tlbench_finetune.baselines.lead import Lead
from tlbench_finetune.baselines.majority import Majority
from tlbench_finetune.baselines.word_majority import WordMajority
from tlbench_finetune.finetuning.from_probe import LpFt, start_from_probe
from tlbench_finetune.finetuning.frozen_below import HeadOnly, PartialFinetune
from tlbench_finetune.finetuning.whole import FromScratch, FullFinetune, LayerwiseDecay
from tlbench_finetune.plugin import tlbench_strategies
from tlbench_finetune.probes.features import FeaturePredictor
from tlbench_finetune.probes.linear_probe import LinearProbe, solve
from tlbench_finetune.probes.mlp_probe import MlpProbe
from tlbench_finetune.probes.random_probe import RandomProbe

from tlbench import (
    Classes,
    MultiLabel,
    PluginError,
    Protocol,
    Scalar,
    Span,
    Strategy,
    Task,
    Text,
    TokenClasses,
    Trainable,
    UsageError,
)
from tlbench.testing.agreement import assert_same_in_fp64
from tlbench.testing.conformance import StrategyConformance
from tlbench.testing.jobs import Rehearsal, make_job
from tlbench.testing.toy_kinds import ToyLabelsTask, ToyWordsTask
from tlbench.testing.toys import ToyBackbone, ToyScalarTask, ToyTask
from tlbench.training import Model, ModelPredictor

PROTOCOL = Protocol(max_steps=6, precision="fp32")
TASKS: list[Task] = [ToyTask(), ToyScalarTask(), ToyLabelsTask()]


class TestMajority(StrategyConformance):
    strategy = Majority()


class TestWordMajority(StrategyConformance):
    strategy = WordMajority()


class TestLead(StrategyConformance):
    strategy = Lead()


SAME_FITS = 0.001
"""How far answers may be apart whose fits differ by rounding in fp32: they were found up to 1e-9 apart, and a solver
that stops one step earlier, where the gradient is 1e-4 long, makes 1e-4 of it. Another seed's are 0.03 away or more."""


class TestLinearProbe(StrategyConformance):
    strategy = LinearProbe()
    fused_tolerance = SAME_FITS


class TestRandomProbe(StrategyConformance):
    strategy = RandomProbe()
    fused_tolerance = SAME_FITS


class TestMlpProbe(StrategyConformance):
    strategy = MlpProbe(hidden=8)
    fused_tolerance = SAME_FITS


class TestDeepMlpProbe(StrategyConformance):
    strategy = MlpProbe(hidden=8, layers=2, activation="relu", train_batch_size=16)
    fused_tolerance = SAME_FITS


class TestHeadOnly(StrategyConformance):
    strategy = HeadOnly()
    protocol = Protocol(max_steps=6, precision="fp32", pruner="median")


class TestPartialFinetune(StrategyConformance):
    strategy = PartialFinetune()
    protocol = Protocol(max_steps=6, precision="fp32", pruner="median")


class TestFullFinetune(StrategyConformance):
    strategy = FullFinetune()
    protocol = Protocol(max_steps=6, precision="fp32", pruner="median")


class TestFromScratch(StrategyConformance):
    strategy = FromScratch()
    protocol = Protocol(max_steps=6, precision="fp32", pruner="median")


class TestLpFt(StrategyConformance):
    strategy = LpFt()
    protocol = Protocol(max_steps=6, precision="fp32", pruner="median")


class TestLayerwiseDecay(StrategyConformance):
    strategy = LayerwiseDecay()
    protocol = Protocol(max_steps=6, precision="fp32", pruner="median")


def _task_of(output: Any) -> Task:
    task = Task()
    task.name, task.modality, task.pairs = "any", "text", True
    task.output = output
    return task


CITED = [one for one in tlbench_strategies() if one.name not in {"majority", "word-majority", "recipe"}]


@pytest.mark.parametrize("strategy", CITED, ids=lambda strategy: strategy.name)
def test_a_paper_is_cited(strategy: Strategy) -> None:
    assert "arXiv:" in strategy.paper or "doi:" in strategy.paper


SUPPORTED = {
    "majority": {Classes, MultiLabel, Scalar, TokenClasses},
    "word-majority": {TokenClasses},
    "lead": {Text, Span},
    "tfidf": {Classes, MultiLabel, Scalar},
    "colour-histogram": set(),
    "cosine": {Classes, Scalar},
    "linear-probe": {Classes, MultiLabel, Scalar, TokenClasses},
    "random-probe": {Classes, MultiLabel, Scalar, TokenClasses},
    "mlp-probe": {Classes, MultiLabel, Scalar},
    "lp-ft": {Classes, MultiLabel, Scalar},
    "r-drop": {Classes, Scalar},
    "knn": {Classes, Scalar},
    "prototypes": {Classes},
}
"""What each is for; those that are not named train any head."""


# A recipe supports what its parts do.
OF_ONE = [one for one in tlbench_strategies() if not one.strategy_options]


@pytest.mark.parametrize("strategy", OF_ONE, ids=lambda strategy: strategy.name)
def test_impossible_combinations_are_told_before_they_are_run(strategy: Strategy) -> None:
    outputs = [Classes(("a", "b")), MultiLabel(("a", "b")), Scalar(), TokenClasses(("O", "B-a")), Span(), Text()]
    reasons = {type(output): strategy.supports(ToyBackbone(), _task_of(output)) for output in outputs}
    assert {kind for kind, reason in reasons.items() if reason is None} == SUPPORTED.get(strategy.name, set(reasons))
    assert all(kind.__name__ in reason or "has texts" in reason for kind, reason in reasons.items() if reason)


def test_every_kind_of_output_has_a_baseline() -> None:
    baselines = [SUPPORTED[strategy.name] for strategy in tlbench_strategies() if not strategy.uses_backbone]
    assert set().union(*baselines) == {Classes, MultiLabel, Scalar, TokenClasses, Span, Text}


def test_gains_are_measured_over_strategies_without_pretrained_weights() -> None:
    floors = {strategy.name for strategy in tlbench_strategies() if strategy.knows_nothing}
    assert floors == {"majority", "word-majority", "from-scratch", "random-probe"}


def test_as_many_stages_are_trained_as_there_are() -> None:
    assert PartialFinetune(stages=3).supports(ToyBackbone(blocks=3), ToyTask()) is None
    assert "stages=4" in (PartialFinetune(stages=4).supports(ToyBackbone(blocks=3), ToyTask()) or "")
    assert "at least 1" in (PartialFinetune(stages=0).supports(ToyBackbone(), ToyTask()) or "")
    assert "at least 1" in (MlpProbe(hidden=0).supports(ToyBackbone(), ToyTask()) or "")


def test_what_is_trained_is_said_beforehand() -> None:
    trained = {strategy.name: strategy.trainable(ToyBackbone()) for strategy in tlbench_strategies()}
    assert (
        trained["head-only"]
        == trained["linear-probe"]
        == trained["random-probe"]
        == trained["mlp-probe"]
        == Trainable(0)
    )
    assert trained["partial-finetune"] == Trainable(2)
    assert trained["full-finetune"] == trained["lp-ft"] == trained["layerwise-lr-decay"] == Trainable()


def test_a_backbone_that_does_not_say_how_deep_it_is_is_found_out() -> None:
    job = make_job(PartialFinetune(stages=2), ToyBackbone(blocks=3), ToyTask(), protocol=PROTOCOL)
    with pytest.raises(PluginError, match="stages=4"):
        PartialFinetune(stages=4).fit(job)


def test_a_head_without_weights_is_not_trained_alone() -> None:
    job = make_job(HeadOnly(), ToyBackbone(), ToyTask(), protocol=PROTOCOL)
    job.head.linear = torch.nn.Identity()  # type: ignore[union-attr]
    with pytest.raises(PluginError, match="no weight of its own"):
        HeadOnly().fit(job)


def test_a_head_alone_is_trained_on_states_that_are_computed_once() -> None:
    rehearsal = Rehearsal(HeadOnly(), ToyBackbone(), ToyWordsTask(), PROTOCOL)
    first, second = (rehearsal.fit({"lr": lr}).result for lr in (1e-3, 1e-2))
    assert first.encode_paid_seconds > 0 == second.encode_paid_seconds
    assert first.trainable_parameters == 16 * 4 + 4


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_the_whole_grid_is_solved_on_features_encoded_once(task: Task) -> None:
    rehearsal = Rehearsal(LinearProbe(), ToyBackbone(), task, PROTOCOL)
    together = rehearsal.fit_batch([{"l2": l2} for l2 in (1e-4, 1e-2, 1.0)])
    assert len({fitted.result.encode_seconds for fitted in together}) == 1
    paid = sum(fitted.result.encode_paid_seconds for fitted in together)
    assert paid >= together[0].result.encode_seconds > 0
    assert len({fitted.result.encode_paid_seconds for fitted in together}) == 1
    scores = [fitted.predictor.predict(rehearsal.data()).values for fitted in together if fitted.predictor]
    assert len(scores) == 3
    assert not np.array_equal(scores[0], scores[2])
    again = rehearsal.fit({"l2": 1e-2}).result
    assert again.encode_paid_seconds == 0 < again.encode_seconds
    assert again.examples_seen == 64


@pytest.mark.parametrize(
    ("probe", "weights"), [(LinearProbe(), 16 * 2 + 2), (MlpProbe(hidden=8), 16 * 8 + 8 + 8 * 2 + 2)]
)
def test_a_probe_moves_no_weight_of_the_encoder(probe: Strategy, weights: int) -> None:
    job = make_job(probe, ToyBackbone(), ToyTask(), protocol=PROTOCOL)
    before = {name: p.detach().clone() for name, p in job.encoder.named_parameters()}
    predictor = probe.fit(job)
    assert isinstance(predictor, FeaturePredictor)
    assert predictor.trainable_parameters == weights
    assert all(torch.equal(p, before[name]) for name, p in job.encoder.named_parameters())


def _trained(strategy: Strategy, **params: float) -> set[str]:
    """Returns the stages (and "head") whose weights a fit moves."""
    job = make_job(strategy, ToyBackbone(), ToyTask(), params, PROTOCOL)
    encoder = ToyBackbone().load()
    weights = dict(encoder.native.named_parameters())
    before = {name: p.detach().clone() for name, p in weights.items()}
    head = {name: p.detach().clone() for name, p in job.head.named_parameters()}
    strategy.fit(dataclasses.replace(job, encoder=encoder))
    moved = {
        stage.name
        for stage in encoder.stages
        if any(not torch.equal(weights[name], before[name]) for name in stage.parameters)
    }
    return moved | {"head" for name, p in job.head.named_parameters() if not torch.equal(p, head[name])}


def test_each_trains_what_it_says() -> None:
    everything = {"embeddings", "block0", "block1", "block2", "head"}
    assert _trained(FullFinetune(), lr=1e-3) == everything
    assert _trained(LayerwiseDecay(), lr=1e-3, decay=0.8) == everything
    assert _trained(LpFt(), lr=1e-3, l2=0.01) == everything
    assert _trained(HeadOnly(), lr=1e-3) == {"head"}
    assert _trained(PartialFinetune(stages=1), lr=1e-3) == {"block2", "head"}
    assert _trained(PartialFinetune(), lr=1e-3) == {"block1", "block2", "head"}
    assert _trained(FromScratch(), lr=1e-3) == set(), "the pretrained encoder and its head are not even looked at"


def test_from_scratch_begins_with_random_weights() -> None:
    backbone = ToyBackbone(weights=7)
    job = make_job(FromScratch(), backbone, ToyTask(), {"lr": 1e-9}, PROTOCOL)
    predictor = FromScratch().fit(job)
    assert isinstance(predictor, ModelPredictor)
    trained, pretrained = dict(predictor.model.encoder.named_parameters()), backbone.load().named_parameters()
    matrices = [(trained[name], p) for name, p in pretrained if p.ndim > 1]
    assert not any(torch.allclose(mine, theirs, atol=1e-3) for mine, theirs in matrices)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_lp_ft_begins_with_the_probes_answers(task: Task) -> None:
    job = make_job(LpFt(), ToyBackbone(), task, {"lr": 1e-5, "l2": 0.01}, PROTOCOL)
    job.encoder.double()
    job.head.double()  # type: ignore[union-attr]
    (probe,) = solve(job, [0.01])
    expected = FeaturePredictor(job, probe).predict(job.validation)
    start_from_probe(job)
    begun = ModelPredictor(Model(job.encoder, job.head)).predict(job.validation)
    if isinstance(task.output, Scalar):
        assert_same_in_fp64(torch.from_numpy(begun.values), torch.from_numpy(expected.values))
    else:
        assert np.array_equal(begun.values, expected.values)
        assert_same_in_fp64(torch.from_numpy(begun.scores), torch.from_numpy(expected.scores))


@pytest.mark.parametrize("strategy", [s for s in tlbench_strategies() if hasattr(s, "warmup")], ids=lambda s: s.name)
@pytest.mark.parametrize("fields", [{"train_batch_size": 0}, {"warmup": -0.1}, {"warmup": 1.5}, {"warmup": math.nan}])
def test_what_cannot_be_trained_by_is_refused(strategy: Strategy, fields: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=rf"{strategy.name}\[{next(iter(fields))}="):
        dataclasses.replace(strategy, **fields)  # type: ignore[type-var]


@pytest.mark.parametrize(
    ("strategy", "task"),
    [
        pytest.param(strategy, task, id=f"{strategy.name}-{task.name}")
        for strategy in tlbench_strategies()
        for task in (ToyTask(), ToyScalarTask(), ToyWordsTask())
        if strategy.supports(ToyBackbone(), task) is None
    ],
)
def test_weights_may_be_in_bf16(strategy: Strategy, task: Task) -> None:
    protocol = Protocol(max_steps=3, precision="bf16-weights")
    result = Rehearsal(strategy, ToyBackbone(), task, protocol).fit().result
    assert result.status == "ok", result.traceback


def test_fields_reach_the_loop() -> None:
    job = make_job(FullFinetune(), ToyBackbone(), ToyTask(), protocol=Protocol(epochs=1, precision="fp32"))
    FullFinetune(train_batch_size=8).fit(job)
    assert job.notes["steps"] == 8
