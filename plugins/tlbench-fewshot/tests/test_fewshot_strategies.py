"""Few- and zero-shot strategies on toys: conformance, pairs, labels, and that they help where they can."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import numpy as np
import pytest
import torch
from tlbench_fewshot.contrastive_pairs import PairLoss, drawn_pairs
from tlbench_fewshot.demonstrations import drawn
from tlbench_fewshot.label_names import label_error, label_texts
from tlbench_fewshot.name_similarity import TEMPERATURE, TEMPLATES, ZeroShotSimilarity
from tlbench_fewshot.setfit import SetFit
from tlbench_finetune.probes.linear_probe import LinearProbe

from tlbench import Backbone, Classes, Example, Examples, Protocol, SplitName, Strategy, Task, UsageError
from tlbench.testing.conformance import StrategyConformance
from tlbench.testing.jobs import Rehearsal, make_job
from tlbench.testing.toy_kinds import ToyLabelsTask
from tlbench.testing.toys import SUBJECTS, ToyBackbone, ToyScalarTask, ToyTask
from tlbench.training import Model, Step

PROTOCOL = Protocol(max_steps=6, precision="fp32", pruner="median")


class TestSetFit(StrategyConformance):
    strategy = SetFit(train_batch_size=4)
    tasks = (ToyTask(),)
    protocol = PROTOCOL


class TestZeroShotSimilarity(StrategyConformance):
    strategy = ZeroShotSimilarity()
    tasks = (ToyTask(),)
    protocol = PROTOCOL


@dataclasses.dataclass(frozen=True)
class NamedSubjects(Task):
    """Which of three subjects is the sentence about? The class names are the subjects."""

    name = "named-subjects"
    modality = "text"
    output = Classes(SUBJECTS[:3])
    metrics = ("accuracy",)

    def split(self, name: SplitName) -> Examples | None:
        draw = random.Random(name)
        return Examples(
            Example(f"{name}-{i}", (f"{draw.choice(SUBJECTS[3:])} {SUBJECTS[i % 3]} {SUBJECTS[i % 3]}",), i % 3)
            for i in range(30)
        )


def score(
    strategy: Strategy, task: Task, protocol: Protocol = PROTOCOL, backbone: Backbone | None = None, **params: Any
) -> float:
    fitted = Rehearsal(strategy, backbone or ToyBackbone(), task, protocol).fit(params or None)
    assert fitted.result.status == "ok", f"{fitted.result.reason}\n{fitted.result.traceback}"
    assert fitted.result.validation is not None
    return fitted.result.validation


def test_class_names_are_enough_where_texts_repeat_them() -> None:
    assert score(ZeroShotSimilarity(), NamedSubjects(), template="{}") == 1.0
    # With the names of two classes exchanged, two thirds of the answers are wrong.
    first, second, third = SUBJECTS[:3]
    exchanged = ZeroShotSimilarity(labels=f"{second}|{first}|{third}")
    assert score(exchanged, NamedSubjects(), template="{}") == pytest.approx(1 / 3)


def test_similarity_is_the_cosine_with_the_name_in_the_template() -> None:
    job = make_job(ZeroShotSimilarity(), ToyBackbone(), NamedSubjects(), {"template": TEMPLATES[1]}, PROTOCOL)
    predictor: Any = ZeroShotSimilarity().fit(job)
    texts = Examples(Example(name, (f"This text is about {name}.",)) for name in SUBJECTS[:3])
    classes, inputs = (
        job.activations.features(job.encoder, data, "fp32") for data in (job.featurize(texts), job.validation)
    )
    cosines = torch.nn.functional.cosine_similarity(inputs[:, None], classes[None], dim=2)
    found = predictor.predict(job.validation)
    np.testing.assert_allclose(found.scores, (cosines / TEMPERATURE).softmax(1).numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("task", "labels", "message"),
    [
        (ToyTask(), "", None),
        (ToyTask(), "bad|good", None),
        (ToyTask(), "bad", "labels names 1 classes, and the task has 2: unfriendly, friendly"),
        (ToyTask(), "bad | bad", "two classes have one label: bad, bad"),
        (ToyTask(), "0|1", "the class name '0' says nothing: give words for all classes, as in labels=bad|good"),
        (ToyScalarTask(), "", "class names are compared with a text; Scalar has not one class per example"),
        (ToyLabelsTask(), "", "class names are compared with a text; MultiLabel has not one class per example"),
    ],
)
def test_why_class_names_cannot_be_read(task: Task, labels: str, message: str | None) -> None:
    assert label_error(task, labels) == message
    assert ZeroShotSimilarity(labels=labels).supports(ToyBackbone(), task) == message


def test_underscores_in_class_names_are_spaces() -> None:
    assert label_texts(Classes(("card_arrival", " lost card ")), "") == ("card arrival", "lost card")


def test_pairs_are_of_one_class_or_of_two_as_said_and_never_of_a_row_with_itself() -> None:
    targets = np.array([0, 0, 1, 1, 1, 2])
    pairs = drawn_pairs(targets, 5, seed=3)
    # The only row of class 2 has no partner of its own class.
    assert len(pairs) == 6 * 5 + 5 * 5
    first, second, same = pairs.T
    assert ((targets[first] == targets[second]) == same.astype(bool)).all()
    assert (first != second).all()
    assert np.bincount(first[same == 0]).tolist() == [5] * 6
    assert not np.array_equal(pairs, drawn_pairs(targets, 5, seed=4))
    assert len(drawn_pairs(np.array([1]), 5, seed=0)) == 0


def test_the_loss_of_pairs_is_the_squared_error_of_their_cosines() -> None:
    job = make_job(SetFit(), ToyBackbone(), ToyTask(), {"lr": 1e-3, "l2": 0.1}, PROTOCOL)
    model = Model(job.encoder, job.head).eval()
    loss = PairLoss(job, 1, 4)
    pairs = loss._pairs[next(PairLoss(job, 1, 4)._batches)]
    step = Step(model, {}, torch.empty(0), [0, 1], 1, 1)
    served = job.train.meter.rows
    value = loss.loss(step).detach()
    # Eight rows are served in place of the two of the loop.
    assert job.train.meter.rows == served + 8 - 2
    with torch.no_grad():
        embeddings = [model.encoder.pool(model.encoder(job.train.batch(pairs[:, side].tolist()))) for side in (0, 1)]
    cosines = torch.nn.functional.cosine_similarity(*embeddings)
    assert float(value) == pytest.approx(float((cosines - torch.from_numpy(pairs[:, 2])).square().mean()), abs=1e-6)


@dataclasses.dataclass(frozen=True)
class CueWords(ToyTask):
    """The toy task without negations: the cue word alone decides."""

    @staticmethod
    def _sentence(draw: Any, index: int) -> tuple[tuple[Any, ...], Any, str]:
        # Of each eight sentences of the toy task, the third and the fourth are not negated.
        return ToyTask._sentence(draw, 2 + index % 2)


def test_setfit_beats_a_probe_of_the_same_few_examples() -> None:
    few, protocol = CueWords(train=16, validation=128), Protocol(max_steps=60, precision="fp32")
    backbone = ToyBackbone(width=32, blocks=1)
    probe = score(LinearProbe(), few, protocol, backbone, l2=0.1)
    # Found were 0.54 for the probe, and 0.62 and 0.66 for SetFit with two seeds.
    assert score(SetFit(), few, protocol, backbone, lr=1e-2, l2=0.1) > probe + 0.04


def test_an_epoch_of_setfit_is_all_pairs() -> None:
    strategy = SetFit(train_batch_size=10)
    assert strategy.steps(Protocol(), 101) == 11
    assert strategy.steps(Protocol(epochs=2), 101) == 22
    assert strategy.steps(Protocol(max_steps=7), 101) == 7


@pytest.mark.parametrize("option", ["label_smoothing_factor", "mixup_alpha", "early_stopping_patience"])
def test_options_of_a_loss_with_labels_do_not_apply_to_pairs(option: str) -> None:
    strategy = SetFit(**{option: 1 if option == "early_stopping_patience" else 0.1})
    message = f"{option} concerns a loss with labels, and setfit trains on pairs of examples"
    assert strategy.supports(ToyBackbone(), ToyTask()) == message


def test_a_number_of_pairs_below_one_is_refused() -> None:
    with pytest.raises(UsageError, match=r"setfit\[iterations=0\]"):
        SetFit(iterations=0)


def test_demonstrations_take_the_classes_in_turn() -> None:
    examples = Examples(Example(str(i), (f"text {i}",), 0 if i < 8 else i % 3) for i in range(12))
    found = drawn(examples, 3, 6, seed=1)
    targets = [example.target for example in found]
    # Class 1 has one example, class 2 two; class 0 gives the rest.
    assert sorted(targets) == [0, 0, 0, 1, 2, 2]
    assert [one.id for one in found] == [one.id for one in drawn(examples, 3, 6, seed=1)]
    assert {one.id for one in found} != {one.id for one in drawn(examples, 3, 6, seed=2)}
    assert len(drawn(examples, 3, 100, seed=1)) == 12


def test_a_backbone_without_a_classifier_has_none() -> None:
    assert Backbone().classifier(ToyBackbone().load()) is None
