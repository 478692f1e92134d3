"""The conformance of the inductive strategies on toy tasks, and what each one does that full fine-tuning does not."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from tlbench_finetune.finetuning.regularized import L2Sp, Mixout, RDrop, _difference
from tlbench_finetune.finetuning.reinit import ReinitTop
from tlbench_finetune.finetuning.unfreezing import GradualUnfreezing, Surgical
from tlbench_finetune.finetuning.weight_averaging import WeightAveraging

from tlbench import Job, PluginError, Protocol, Strategy, Trainable, UsageError
from tlbench.planning.space_context import space_about
from tlbench.testing.conformance import StrategyConformance
from tlbench.testing.jobs import make_job, toy_job, weights_of
from tlbench.testing.toys import ToyBackbone, ToyTask
from tlbench.training import ModelPredictor

PROTOCOL = Protocol(max_steps=12, precision="fp32")
PRUNED = Protocol(max_steps=6, precision="fp32", pruner="median")


class TestGradualUnfreezing(StrategyConformance):
    strategy = GradualUnfreezing()
    protocol = PRUNED


class TestSurgical(StrategyConformance):
    strategy = Surgical()
    protocol = PRUNED


class TestReinitTop(StrategyConformance):
    strategy = ReinitTop()
    protocol = PRUNED


class TestL2Sp(StrategyConformance):
    strategy = L2Sp()
    protocol = PRUNED


class TestMixout(StrategyConformance):
    strategy = Mixout()
    protocol = PRUNED


class TestRDrop(StrategyConformance):
    strategy = RDrop()
    protocol = PRUNED


def _moved(strategy: Strategy, **params: float) -> set[str]:
    """Returns the stages of which a fit moves a weight."""
    job = toy_job(strategy, **params)
    before = weights_of(job.encoder.native)
    strategy.fit(job)
    after = dict(job.encoder.native.named_parameters())
    return {
        stage.name
        for stage in job.encoder.stages
        if any(not torch.equal(after[name], before[name]) for name in stage.parameters)
    }


def test_each_trains_the_stages_that_it_names() -> None:
    everything = {"embeddings", "block0", "block1", "block2"}
    assert _moved(Surgical(stages="0")) == {"embeddings"}
    assert _moved(Surgical(stages="1-2")) == {"block0", "block1"}
    assert _moved(Surgical(stages="3")) == {"block2"}
    assert _moved(GradualUnfreezing()) == everything
    assert _moved(ReinitTop()) == everything


def test_surgical_reads_what_is_below_from_the_cache_and_tells_how_far_gradients_go() -> None:
    assert Surgical(stages="1-2").trainable(ToyBackbone()) == Trainable(3)
    assert Surgical(stages="0").trainable(ToyBackbone()) == Trainable(4)
    job = toy_job(Surgical(stages="2"))
    predictor = Surgical(stages="2").fit(job)
    assert isinstance(predictor, ModelPredictor)
    assert predictor.model.start == 2


@pytest.mark.parametrize("stages", ["", "a", "2-1", "1-", "-1", "1-2-3"])
def test_stages_that_are_no_range_are_refused(stages: str) -> None:
    with pytest.raises(UsageError, match="give one stage or a range"):
        Surgical(stages=stages)


def test_stages_that_a_backbone_does_not_have_are_told() -> None:
    reason = Surgical(stages="2-4").supports(ToyBackbone(), ToyTask())
    assert reason is not None
    assert "stages=2-4" in reason
    with pytest.raises(PluginError, match="stages=2-4"):
        Surgical(stages="2-4").fit(toy_job(Surgical(stages="2-4")))
    for strategy, text in ((ReinitTop(stages=4), "stages=4"), (ReinitTop(stages=0), "at least 1")):
        assert text in (strategy.supports(ToyBackbone(), ToyTask()) or "")
    with pytest.raises(PluginError, match="stages=4"):
        ReinitTop(stages=4).fit(toy_job(ReinitTop(stages=4)))


def test_gradual_unfreezing_gives_each_stage_an_equal_part_of_the_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    job, trained = toy_job(GradualUnfreezing()), []
    names = {weight: name for name, weight in job.encoder.native.named_parameters()}
    stage_of = {name: number for number, stage in enumerate(job.encoder.stages) for name in stage.parameters}
    serve = type(job.train).serve

    def served(data, indices):  # type: ignore[no-untyped-def]
        trained.append(min((stage_of[name] for weight, name in names.items() if weight.requires_grad), default=4))
        return serve(data, indices)

    monkeypatch.setattr(type(job.train), "serve", served)
    GradualUnfreezing().fit(job)
    # Twelve steps in five parts; 4 stands for the head alone.
    assert trained == [4, 4, 4, 3, 3, 2, 2, 2, 1, 1, 0, 0]


def test_reinit_top_starts_from_new_weights_above_and_from_the_pretrained_ones_below() -> None:
    strategy = ReinitTop(stages=2)
    job = toy_job(strategy, lr=1e-9)
    before = weights_of(job.encoder.native)
    strategy.fit(job)
    drawn = dict(job.load(pretrained=False).native.named_parameters())
    for number, stage in enumerate(job.encoder.stages):
        expected = drawn if number >= 2 else before
        for name in stage.parameters:
            weight = dict(job.encoder.native.named_parameters())[name]
            assert torch.allclose(weight, expected[name], atol=1e-6), name
    matrices = [name for name in job.encoder.stages[3].parameters if before[name].ndim > 1]
    assert not any(torch.allclose(drawn[name], before[name], atol=1e-3) for name in matrices)


def test_l2_sp_keeps_closer_to_the_pretrained_weights() -> None:
    def distance(alpha: float) -> float:
        job = toy_job(L2Sp(), alpha=alpha, beta=0.01)
        before = weights_of(job.encoder)
        L2Sp().fit(job)
        return math.sqrt(sum(float((w - before[n]).square().sum()) for n, w in weights_of(job.encoder).items()))

    assert distance(100.0) < distance(1e-6) * 0.8


def test_l2_sp_shrinks_the_head() -> None:
    def size(beta: float) -> float:
        job = toy_job(L2Sp(), alpha=1e-6, beta=beta)
        L2Sp().fit(job)
        return sum(float(weight.square().sum()) for weight in weights_of(job.head).values())  # type: ignore[arg-type]

    assert size(100.0) < size(1e-6)


def _forward_weights(p: float, monkeypatch: pytest.MonkeyPatch) -> list[tuple[dict[str, torch.Tensor], Job]]:
    """Returns the weights that `functional_call` got in the first step."""
    seen: list[dict[str, torch.Tensor]] = []
    real = torch.func.functional_call

    def spied(module, mixed, arguments):  # type: ignore[no-untyped-def]
        seen.append({name: weight.detach().clone() for name, weight in mixed.items()})
        return real(module, mixed, arguments)

    monkeypatch.setattr(torch.func, "functional_call", spied)
    job = toy_job(Mixout(), p=p)
    Mixout().fit(job)
    return [(one, job) for one in seen]


def test_mixout_starts_at_the_pretrained_weights_whatever_the_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the first step every weight is the pretrained one, mixed with itself; only the head is mixed with zeros."""
    steps = _forward_weights(0.7, monkeypatch)
    assert len(steps) == PROTOCOL.max_steps
    pretrained = weights_of(ToyBackbone().load().native)
    first, _ = steps[0]
    encoder = {name.removeprefix("encoder.native."): weight for name, weight in first.items() if "encoder" in name}
    assert encoder
    assert all(torch.allclose(weight, pretrained[name], atol=1e-6) for name, weight in encoder.items())
    head = first["head.linear.weight"]
    assert 0 < (head == 0).float().mean() < 1
    # Later the weights have moved, and some of each are as they were.
    last, _ = steps[-1]
    assert any(not torch.allclose(last[f"encoder.native.{name}"], pretrained[name], atol=1e-6) for name in encoder)


def test_mixout_preserves_the_mean_of_the_weights() -> None:
    from tlbench_finetune.finetuning.regularized import _mixed

    from tlbench.training import Model, Step

    job = toy_job(Mixout(), p=0.5)
    model = Model(job.encoder, job.head)
    loss = _mixed(model, 0.5)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.1)
    batch, targets = job.train.batch(range(8)), job.head.targets(job.train)[:8]
    seen: list[torch.Tensor] = []
    real = torch.func.functional_call
    name = "head.linear.weight"

    def spied(module, mixed, arguments):  # type: ignore[no-untyped-def]
        seen.append(mixed[name].detach().clone())
        return real(module, mixed, arguments)

    torch.func.functional_call, restored = spied, torch.func.functional_call
    try:
        torch.manual_seed(0)
        for number in range(400):
            loss(Step(model, batch, targets, range(8), number + 1, 400))
    finally:
        torch.func.functional_call = restored
    mean, weight = torch.stack(seen).mean(0), dict(model.named_parameters())[name]
    # A masked weight is 0 or twice itself, so that its mean has a deviation of |w| / 20 after 400 draws.
    assert ((mean - weight).abs() <= 5 * weight.abs() / 20 + 1e-6).all()


def test_r_drop_is_half_the_sum_of_both_divergences() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = torch.randn(4, 3, generator=generator), torch.randn(4, 3, generator=generator)
    p, q = first.softmax(-1).numpy(), second.softmax(-1).numpy()
    by_hand = ((p * np.log(p / q)).sum(-1) + (q * np.log(q / p)).sum(-1)).mean() / 2
    assert float(_difference(first, second, is_number=False)) == pytest.approx(by_hand, rel=1e-5)
    assert float(_difference(first, first, is_number=False)) == pytest.approx(0, abs=1e-6)
    numbers = torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0], [2.0]])
    assert float(_difference(*numbers, is_number=True)) == pytest.approx(2.0)


def test_r_drop_makes_two_passes_agree() -> None:
    def apart(alpha: float) -> float:
        strategy = RDrop()
        job = toy_job(strategy, alpha=alpha)
        predictor = strategy.fit(job)
        assert isinstance(predictor, ModelPredictor)
        model = predictor.model.train()
        torch.manual_seed(0)
        batch = job.train.batch(range(32))
        with torch.no_grad():
            return float(np.mean([_difference(model(batch), model(batch), is_number=False) for _ in range(8)]))

    assert apart(100.0) < apart(1e-6)


EASY: list[tuple[Strategy, dict[str, float]]] = [
    (GradualUnfreezing(), {}),
    (Surgical(stages="1-2"), {}),
    (ReinitTop(), {}),
    # The toy's weights are random, so that a strong pull towards them keeps the task from being learned.
    (L2Sp(), {"alpha": 1e-3}),
    (Mixout(), {}),
    (RDrop(), {}),
    (WeightAveraging(), {}),
]


@pytest.mark.parametrize(("strategy", "given"), EASY, ids=lambda value: getattr(value, "name", ""))
def test_an_easy_task_is_learned(strategy: Strategy, given: dict[str, float]) -> None:
    """Half of the sentences of the toy task are friendly; full fine-tuning of this length scores .86."""
    task, protocol = ToyTask(train=512, validation=64), Protocol(max_steps=150, precision="fp32")
    params = {**dict(strategy.defaults(space_about(task, protocol, ToyBackbone()))), "lr": 1e-2, **given}
    job = make_job(strategy, ToyBackbone(), task, params, protocol)
    predictor = strategy.fit(dataclasses.replace(job, encoder=ToyBackbone().load()))
    assert job.score(predictor) > 0.7
