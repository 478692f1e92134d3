"""Strategies of domain adaptation: their conformance on a toy, and that they do what they are named after."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from tlbench_domain.adaptation import DomainAdaptation, SourceOnly
from tlbench_domain.coral import Coral, distance
from tlbench_domain.dann import Dann, reversed_gradient, schedule
from tlbench_domain.digit_domains import InvertedDigits
from tlbench_domain.last_features import HIDDEN, last_layer, reading_features
from tlbench_domain.self_training import SelfTraining
from tlbench_domain.target_normalization import TargetNormalization
from tlbench_timm.fractals.backbones import FractalBackbone

from tlbench import Examples, Job, PluginError, Protocol, SplitName, Strategy
from tlbench.testing.conformance import StrategyConformance
from tlbench.testing.jobs import make_job
from tlbench.testing.toys import ToyBackbone, ToyTask
from tlbench.training import ModelPredictor

PROTOCOL = Protocol(max_steps=6, precision="fp32", pruner="median")


@dataclass(frozen=True)
class ToyDomains(ToyTask):
    """Toy sentences whose target domain has other words around the same cues."""

    name = "toy-domains"
    unlabeled_like = "test"
    unlabeled: int = 32

    def split(self, name: SplitName) -> Examples | None:
        examples = super().split(name)
        if examples is None or name in ("train", "validation"):
            return examples
        return Examples(
            dataclasses.replace(one, inputs=(f"buy {one.inputs[0].replace(' is ', ' seems to be ')}",))
            for one in examples
        )


class OnDomains(StrategyConformance):
    backbone = ToyBackbone(blocks=1)
    tasks = (ToyDomains(),)
    protocol = PROTOCOL
    draws = 1


class TestSourceOnly(OnDomains):
    strategy = SourceOnly(stages=0)


class TestCoral(OnDomains):
    strategy = Coral(stages=1)


class TestDann(OnDomains):
    strategy = Dann()


class TestSelfTraining(OnDomains):
    strategy = SelfTraining(stages=0)


TINY = FractalBackbone("fractal-resnet", size=8)


@dataclass(frozen=True)
class FewDigits(InvertedDigits):
    """The first images of each split."""

    def split(self, name: SplitName) -> Examples | None:
        examples = super().split(name)
        return None if examples is None else examples[:40]


class TestOfTargetNormalization(OnDomains):
    strategy = TargetNormalization()
    backbone = TINY
    tasks = (FewDigits(),)
    protocol = Protocol(max_steps=2, precision="fp32")


def _job(strategy: Strategy, steps: int = 40, lr: float = 3e-3, **params: float) -> Job:
    """Returns a job with an encoder of its own, whose changes no other test sees."""
    protocol = Protocol(max_steps=steps, precision="fp32")
    job = make_job(strategy, ToyBackbone(), ToyDomains(), {"lr": lr, **params}, protocol)
    return dataclasses.replace(job, encoder=ToyBackbone().load())


def _outputs(predictor: object, job: Job, number: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns the logits (number 0) or the features (1) of all source and all target rows, without dropout."""
    assert isinstance(predictor, ModelPredictor)
    target = job.unlabeled()
    assert target is not None
    with torch.no_grad(), reading_features(predictor.model.eval()) as outputs_of:
        first, second = (outputs_of(data.batch(range(len(data))))[number] for data in (job.train, target))
    return first, second


def test_coral_lowers_the_distance_of_the_domains_covariances() -> None:
    def after(strategy: Strategy, **params: float) -> float:
        job = _job(strategy, lr=1e-2, **params)
        return float(distance(*_outputs(strategy.fit(job), job, 0)))

    assert after(Coral(stages=0), weight=10.0) < 0.5 * after(SourceOnly(stages=0))


def test_corals_distance_is_that_of_the_paper() -> None:
    generator = torch.Generator().manual_seed(0)
    source, target = (torch.randn(9, 4, generator=generator, dtype=torch.float64) for _ in range(2))
    expected = np.cov(source.numpy(), rowvar=False) - np.cov(target.numpy(), rowvar=False)
    assert float(distance(source, target)) == pytest.approx(np.square(expected).sum() / (4 * 4**2), rel=1e-12)
    assert float(distance(source, source + 3)) == pytest.approx(0, abs=1e-12)
    assert float(distance(source[:1], source[:1])) == 0.0


def test_the_gradient_of_the_domain_classifier_is_reversed_on_its_way_to_the_features() -> None:
    features = torch.tensor([[1.0, -2.0]], requires_grad=True)
    passed = reversed_gradient(features, 0.25)
    assert torch.equal(passed, features)
    (passed * torch.tensor([[3.0, 4.0]])).sum().backward()
    assert features.grad is not None
    assert features.grad.tolist() == [[-0.75, -1.0]]
    assert schedule(1, 11) == 0.0
    assert schedule(6, 11) == pytest.approx(2 / (1 + np.exp(-5)) - 1)
    assert schedule(11, 11) == pytest.approx(1, abs=1e-4)


def test_a_stronger_reversed_gradient_leaves_the_domains_less_far_apart() -> None:
    def gap(weight: float) -> float:
        strategy = Dann(stages=0)
        job = _job(strategy, steps=80, lr=1e-3, weight=weight)
        source, target = _outputs(strategy.fit(job), job, 1)
        return float((source.mean(0) - target.mean(0)).norm() / torch.cat([source, target]).std(0).norm())

    assert gap(1.0) < 0.9 * gap(0.01)


def test_self_training_takes_a_growing_share_of_each_class() -> None:
    strategy, job = SelfTraining(), _job(SelfTraining(), share=0.5)
    sure = np.array([0.99, 0.9, 0.8, 0.7, 0.6, 0.55, 0.95, 0.51])
    probabilities = np.stack([sure, 1 - sure], axis=1)
    probabilities[6:] = probabilities[6:, ::-1]
    assert strategy.chosen(probabilities, 1 / 3, job).tolist() == [0, 6]
    assert strategy.chosen(probabilities, 1.0, job).tolist() == [0, 1, 2, 6]


@pytest.mark.parametrize(
    ("strategy", "params"),
    [
        (Coral(stages=0), {"weight": 1.0}),
        (Dann(stages=0), {"weight": 1.0}),
        (SelfTraining(stages=0), {"share": 0.5}),
        (SourceOnly(stages=0), {}),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_no_label_of_the_target_is_read(strategy: DomainAdaptation, params: dict[str, float]) -> None:
    job = _job(strategy, steps=4, **params)
    target = job.unlabeled()
    assert target is not None
    assert {example.target for example in target.examples} == {None}
    assert all("buy" in example.inputs[0] for example in target.examples)

    def forbidden(*arguments: object) -> None:
        raise AssertionError("the fit reads validation or raw examples")

    job = dataclasses.replace(job, held_out=None, score=forbidden, examples=forbidden)
    strategy.fit(job)
    layers = [tuple(weight.shape) for weight in job.head.linear.parameters() if weight.ndim == 2]  # type: ignore[union-attr]
    assert layers == [(HIDDEN, 16), (2, HIDDEN)]


def test_statistics_are_mixed_by_the_numbers_of_examples() -> None:
    strategies = {prior: TargetNormalization(prior=prior) for prior in (0, 40, 10**9)}
    means = {}
    for prior, strategy in strategies.items():
        job = make_job(strategy, TINY, FewDigits(), {"lr": 1e-3}, Protocol(max_steps=2, precision="fp32"))
        job = dataclasses.replace(job, encoder=TINY.load())
        model = strategy.fit(job).model  # type: ignore[attr-defined]
        assert not model.training
        means[prior] = {name: value for name, value in model.named_buffers() if name.endswith("running_mean")}
    for name, mean in means[40].items():
        # 40 rows of the target count as much as the prior of 40: half of each.
        torch.testing.assert_close(mean, (means[0][name] + means[10**9][name]) / 2, rtol=1e-4, atol=1e-5)
    assert any(not torch.allclose(means[0][name], means[10**9][name], atol=1e-2) for name in means[0])


def test_what_is_not_supported_has_a_reason() -> None:
    for strategy in (SourceOnly(), Coral(), Dann(), SelfTraining(), TargetNormalization()):
        backbone = TINY if isinstance(strategy, TargetNormalization) else ToyBackbone()
        assert "toy-tone has one" in (strategy.supports(backbone, ToyTask(unlabeled=8)) or "")
    assert "has none" in (TargetNormalization().supports(ToyBackbone(), ToyDomains()) or "")
    assert "has none" in (TargetNormalization().supports(FractalBackbone("fractal-vit"), InvertedDigits()) or "")
    assert "leave stages out" in (TargetNormalization(stages=1).supports(TINY, InvertedDigits()) or "")
    assert TargetNormalization().supports(TINY, InvertedDigits()) is None
    assert SourceOnly().supports(ToyBackbone(), ToyDomains()) is None


def test_a_head_without_a_linear_layer_is_refused() -> None:
    strategy = Coral()
    job = _job(strategy, weight=1.0)
    job.head.linear = torch.nn.Identity()  # type: ignore[assignment]
    with pytest.raises(PluginError, match="no linear layer"):
        last_layer(strategy.model(job))
