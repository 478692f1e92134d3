"""Semi-supervised strategies: their conformance on toys, and that unlabelled examples help where they can."""

from __future__ import annotations

import dataclasses
import random
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tlbench_finetune.finetuning.whole import FullFinetune
from tlbench_semisup.consistency import FixMatch, Uda
from tlbench_semisup.label_rounds import LabelRounds
from tlbench_semisup.pseudo_label import PseudoLabel
from tlbench_semisup.strong_images import strongly_augmented
from tlbench_semisup.views import without_words
from tlbench_timm.fractals.backbones import FractalBackbone

from tlbench import Card, Classes, Example, Examples, Job, PluginError, Protocol, SplitName, Strategy, Task, UsageError
from tlbench.modeling.data import one_row_each
from tlbench.testing.conformance import StrategyConformance
from tlbench.testing.jobs import make_job
from tlbench.testing.toys import SUBJECTS, Sentence, ToyBackbone, ToyScalarTask, ToyTask, generate
from tlbench.training import Step
from tlbench.training.recipe.augmentation import PIXELS

PROTOCOL = Protocol(max_steps=6, precision="fp32", pruner="median")


class OnToy(StrategyConformance):
    backbone = ToyBackbone(blocks=1)
    tasks = (ToyTask(unlabeled=16),)
    protocol = PROTOCOL


class TestPseudoLabel(OnToy):
    strategy = PseudoLabel()


class TestFixMatch(OnToy):
    strategy = FixMatch()


class TestUdaOfTheTopStage(OnToy):
    strategy = Uda(stages=1)
    draws = 1


@dataclass(frozen=True)
class TwoCues(Task):
    """Four labelled sentences a class have one cue, unlabelled ones two, and validation has the second alone.

    So the labels say nothing of the second cue; what it means is in the unlabelled sentences (Blum & Mitchell 1998).
    """

    name = "two-cues"
    modality = "text"
    output = Classes(("no", "yes"))
    metrics = ("accuracy",)
    unlabeled_like = "train"

    def split(self, name: SplitName) -> Examples | None:
        return Examples(generate(self._sentence(name), name, {"train": 8, "unlabeled": 64}.get(name, 32), 0))

    def _sentence(self, split: SplitName) -> Sentence:
        def sentence(draw: random.Random, index: int) -> tuple[tuple[Any, ...], Any, str]:
            first, second = (["kaput"], ["broken"]) if index % 2 else (["superb"], ["great"])
            cues = {"train": first, "unlabeled": first + second}.get(split, second)
            words = [*draw.sample(SUBJECTS[:6], 2), *cues]
            draw.shuffle(words)
            return (" ".join(words),), None if split == "unlabeled" else 1 - index % 2, "plain"

        return sentence


BACKBONE = ToyBackbone(width=32, blocks=1)
FEW = Protocol(max_steps=40, precision="fp32")


def _job(strategy: Strategy, task: Task, protocol: Protocol = FEW, **params: float) -> Job:
    """Returns a job with an encoder of its own, whose changes no other test sees."""
    job = make_job(strategy, BACKBONE, task, {"lr": 1e-2, **params}, protocol)
    return dataclasses.replace(job, encoder=BACKBONE.load())


@pytest.fixture(scope="module")
def supervised() -> float:
    """The validation score of four labels a class alone."""
    job = _job(FullFinetune(), TwoCues())
    return job.score(FullFinetune().fit(job))


@pytest.mark.parametrize(
    ("strategy", "params"),
    [
        (FixMatch(deletion=0.5), {"threshold": 0.95, "lambda_u": 1.0}),
        (Uda(deletion=0.5), {"temperature": 0.85}),
    ],
    ids=["fixmatch", "uda"],
)
def test_unlabelled_examples_teach_what_four_labels_a_class_do_not(
    strategy: Strategy, params: dict[str, float], supervised: float
) -> None:
    job = _job(strategy, TwoCues(), **params)
    assert job.score(strategy.fit(job)) > supervised + 0.25


def test_pseudo_labels_are_the_confident_predictions_and_count_from_the_second_part_of_the_steps_on() -> None:
    strategy = PseudoLabel(rounds=2)
    job = _job(strategy, TwoCues(), Protocol(max_steps=9, precision="fp32"), threshold=0.9, weight=1.0)
    model, seen = strategy.model(job), []

    def chosen(probabilities: np.ndarray, progress: float) -> np.ndarray:
        seen.append((probabilities, progress))
        return strategy.chosen(np.array([[0.05, 0.95], [0.5, 0.5], [0.1, 0.9]]), progress, job)

    data = strategy.unlabeled(job)
    rounds = LabelRounds(model, job, data, chosen, rounds=2, weight=1.0, size=8)
    extra = []

    def loss(step: Step) -> torch.Tensor:
        torch.manual_seed(step.number)
        value = rounds.loss(step)
        torch.manual_seed(step.number)
        extra.append(float(value.detach() - step.task_loss().detach()))
        return value

    strategy.train(model, job, loss=loss)
    assert [progress for _, progress in seen] == [0.5, 1.0]
    assert all(probabilities.shape == (64, 2) for probabilities, _ in seen)
    assert job.notes["pseudo_labelled_share"] == 2 / 64
    assert extra[:3] == [0.0] * 3
    assert min(extra[3:]) > 0


@pytest.mark.parametrize(
    ("strategy", "params"),
    [
        (FixMatch(), {"threshold": 0.5, "lambda_u": 1.0}),
        (Uda(stages=0), {"temperature": 0.85}),
        (PseudoLabel(stages=0), {"threshold": 0.5, "weight": 1.0}),
    ],
    ids=["fixmatch", "uda", "pseudo-label"],
)
def test_no_label_but_those_of_train_is_read(strategy: Strategy, params: dict[str, float]) -> None:
    job = _job(strategy, ToyTask(), Protocol(max_steps=4, precision="fp32", train_limit=16), **params)
    unlabeled = job.unlabeled()
    assert unlabeled is not None
    assert len(unlabeled) == 48
    assert {example.target for example in unlabeled.examples} == {None}

    def forbidden(*arguments: object) -> None:
        raise AssertionError("the fit reads validation or raw examples")

    job = dataclasses.replace(job, held_out=None, score=forbidden, examples=forbidden)
    strategy.fit(job)


def test_without_unlabelled_examples_or_classes_a_reason_is_given() -> None:
    for strategy in (PseudoLabel(), FixMatch(), Uda()):
        assert strategy.needs_unlabeled
        assert "guesses the class" in (strategy.supports(BACKBONE, ToyScalarTask()) or "")
        assert "has 1" in (dataclasses.replace(strategy, stages=2).supports(BACKBONE, ToyTask()) or "")
        assert strategy.supports(BACKBONE, ToyTask()) is None
    assert "share of the words" in (FixMatch(deletion=1.0).supports(BACKBONE, ToyTask()) or "")
    with pytest.raises(PluginError, match="toy-tone has none: give a train_limit"):
        PseudoLabel().unlabeled(make_job(PseudoLabel(), BACKBONE, ToyTask(), protocol=FEW))
    with pytest.raises(UsageError, match="at least 1 round"):
        PseudoLabel(rounds=0)


def test_the_memory_of_both_batches_is_reckoned() -> None:
    card = Card(family="bert", parameters=22_000_000, width=384, stages=6)
    backbone = type("Sized", (ToyBackbone,), {"card": lambda self: card})()
    mine = FixMatch(unlabeled_batch_size=48).resources(backbone, ToyTask())
    assert mine == FullFinetune(train_batch_size=64).resources(backbone, ToyTask())
    assert mine != FullFinetune().resources(backbone, ToyTask())


def test_a_frozen_backbone_trains_the_head_alone() -> None:
    strategy = FixMatch(stages=0)
    assert strategy.trainable(BACKBONE).stages == 0
    model = strategy.model(_job(strategy, ToyTask(unlabeled=8), threshold=0.9, lambda_u=1.0))
    assert {name.partition(".")[0] for name, weight in model.named_parameters() if weight.requires_grad} == {"head"}


def test_words_are_left_out_at_random_and_one_remains() -> None:
    text = " ".join(str(number) for number in range(1000))
    (first,), (again,), (other,) = (
        [one.inputs for one in without_words(Examples([Example("a", (text, "word"))]), 0.25, seed)]
        for seed in (0, 0, 1)
    )
    assert first == again
    assert first[0] != other[0]
    assert first[1] == "word"
    # Of 1,000 words 750 are expected to remain, with a standard deviation of 14.
    assert 680 < len(first[0].split()) < 820
    assert set(first[0].split()) < set(text.split())


@dataclass(frozen=True)
class TwoPatches(Task):
    """As `TwoCues`, with patches anywhere in an image: red or green is the first cue, blue or yellow the second.

    A strong view of both may lack the first, which is then cut out or shifted away.
    """

    name = "two-patches"
    modality = "image"
    output = Classes(("no", "yes"))
    metrics = ("accuracy",)
    unlabeled_like = "train"
    FIRST = ((220, 60, 60), (60, 220, 60))
    SECOND = ((60, 60, 220), (220, 220, 60))

    def split(self, name: SplitName) -> Examples | None:
        draws = np.random.default_rng(len(name))
        cues = {"train": (self.FIRST,), "unlabeled": (self.FIRST, self.SECOND)}.get(name, (self.SECOND,))

        def picture(label: int) -> Image.Image:
            pixels = draws.integers(100, 156, (16, 16, 3))
            for corner, colours in zip(draws.permutation(4), cues, strict=False):
                top, left = 8 * (corner // 2) + 1, 8 * (corner % 2) + 1
                pixels[top : top + 6, left : left + 6] = colours[label]
            return Image.fromarray(pixels.astype(np.uint8))

        return Examples(
            Example(f"{name}-{number}", (picture(number % 2),), None if name == "unlabeled" else number % 2)
            for number in range({"train": 8, "unlabeled": 64}.get(name, 32))
        )


def test_unlabelled_images_teach_what_four_labels_a_class_do_not() -> None:
    backbone, protocol = FractalBackbone("fractal-resnet", size=16), Protocol(max_steps=30, precision="fp32")

    def score(strategy: Strategy, **params: float) -> float:
        job = make_job(strategy, backbone, TwoPatches(), {"lr": 3e-3, **params}, protocol)
        job = dataclasses.replace(job, encoder=backbone.load())
        return job.score(strategy.fit(job))

    assert score(FixMatch(), threshold=0.8, lambda_u=1.0) > score(FullFinetune()) + 0.25


def test_strong_views_of_images_keep_their_form_and_differ_at_each_reading() -> None:
    images = torch.rand(6, 3, 8, 12)
    examples = Examples(Example(str(number), (str(number),)) for number in range(6))
    data = one_row_each(examples, list(images), lambda rows: {PIXELS: torch.stack(list(rows))}, [1] * 6, "images")
    torch.manual_seed(0)
    strong = strongly_augmented(data)
    first, second = (strong.batch(range(6))[PIXELS] for _ in range(2))
    assert strong.augmented
    assert first.shape == images.shape
    assert torch.isfinite(first).all()
    for one, other in ((first, images), (first, second)):
        assert all((one - other).abs().amax(dim=(1, 2, 3)) > 0.01)
    assert torch.equal(data.batch(range(6))[PIXELS], images)
