"""Distillation: the conformance checks, what is learnt of a teacher, how often it is adapted, and what it sees."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from tlbench_distill.distillation import Distill
from tlbench_distill.hidden_states import HiddenMatch, stage_pairs, states_of
from tlbench_distill.soft_targets import logits_of, soft_loss
from tlbench_finetune.finetuning.whole import FullFinetune

from tlbench import (
    Card,
    Classes,
    Examples,
    Job,
    MultiLabel,
    PluginError,
    Predictions,
    Protocol,
    SplitName,
    Task,
    UsageError,
    hookimpl,
)
from tlbench.catalog.catalog import Catalog
from tlbench.catalog.discovery import Plugin
from tlbench.modeling.heads import PooledHead
from tlbench.planning.capacity import resources_of
from tlbench.testing.conformance import StrategyConformance
from tlbench.testing.jobs import make_job, toy_rehearsal
from tlbench.testing.toy_kinds import ToyLabelsTask, ToyWordsTask
from tlbench.testing.toys import ToyBackbone, ToyScalarTask, ToyTask
from tlbench.training import teacher_job

PROTOCOL = Protocol(max_steps=6, precision="fp32")


class TestDistill(StrategyConformance):
    strategy = Distill(teacher="toy[width=24]")
    protocol = Protocol(max_steps=6, precision="fp32", pruner="median")
    draws = 1


class TestDistillHiddenStates(StrategyConformance):
    """From a probed teacher, whose states have another width than the student's."""

    strategy = Distill(teacher="toy[width=24]", teacher_strategy="linear-probe", hidden=0.5, hidden_stages="all")
    tasks = (ToyTask(),)
    draws = 1


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent)
    monkeypatch.setenv("TLBENCH_PLUGINS", "planted_teacher")


@dataclasses.dataclass(frozen=True)
class Mislabelled(ToyTask):
    """The toy task with a third of the training labels inverted, and those of the validation split if asked for."""

    inverts_validation: bool = False
    INVERTED: ClassVar[int] = 3

    @staticmethod
    def _sentence(draw: Any, index: int) -> tuple[tuple[Any, ...], Any, str]:
        # Sentences 2 and 3 of each eight are not negated, so that the cue words alone decide.
        return ToyTask._sentence(draw, 2 + index % 2)

    def split(self, name: SplitName) -> Examples | None:
        examples = super().split(name)
        if examples is None or name == "test":
            return examples
        every = self.INVERTED if name == "train" else 1 if self.inverts_validation else len(examples) + 1
        changed = [
            dataclasses.replace(one, target=1 - one.target) if number % every == every - 1 else one
            for number, one in enumerate(examples)
        ]
        return Examples(changed)


@pytest.fixture
def teacher_jobs(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """Returns a list that receives the job of each fit of a teacher by full fine-tuning."""
    jobs: list[Job] = []
    fit_teacher = FullFinetune.fit

    def recorded(strategy: FullFinetune, job: Job) -> Any:
        jobs.append(job)
        return fit_teacher(strategy, job)

    monkeypatch.setattr(FullFinetune, "fit", recorded)
    return jobs


@pytest.mark.usefixtures("planted")
def test_a_student_of_a_good_teacher_beats_the_same_student_of_wrong_labels_alone() -> None:
    protocol = Protocol(max_steps=60, precision="fp32")
    task = Mislabelled(train=96, validation=200)
    alone = toy_rehearsal(FullFinetune(), task, protocol).fit_ok({"lr": 1e-2})
    student = Distill(teacher="knowing", teacher_strategy="linear-probe")
    taught = toy_rehearsal(student, task, protocol).fit_ok({"lr": 1e-2, "alpha": 1.0, "temperature": 1.0})
    # A third of the labels is wrong: found were 0.70 to 0.73 alone, and 0.95 to 0.97 with the teacher.
    assert taught.result.validation > alone.result.validation + 0.1


def test_without_the_teacher_s_share_it_is_full_fine_tuning() -> None:
    alone = toy_rehearsal(FullFinetune()).fit_ok({"lr": 1e-3})
    student = toy_rehearsal(Distill(teacher="toy[width=24]"))
    apart = student.fit_ok({"lr": 1e-3, "alpha": 0.0, "temperature": 2.0})
    taught = student.fit_ok({"lr": 1e-3, "alpha": 1.0, "temperature": 2.0})
    assert np.allclose(apart.answers.scores, alone.answers.scores, atol=1e-6)
    assert np.abs(taught.answers.scores - alone.answers.scores).max() > 1e-4


def test_the_teacher_is_adapted_once_for_all_trials_of_a_seed(teacher_jobs: list[Job]) -> None:
    rehearsal = toy_rehearsal(Distill(teacher="toy[width=24]"))
    trials = [rehearsal.fit_ok({"lr": lr, "alpha": 0.5, "temperature": 2.0}) for lr in (1e-4, 1e-3, 1e-2)]
    assert [job.seed for job in teacher_jobs] == [0]
    # Each trial is charged what it would need alone.
    assert len({trial.result.setup_seconds for trial in trials}) == 1
    assert trials[0].result.setup_seconds > 0
    rehearsal.fit_ok({"lr": 1e-3, "alpha": 0.5, "temperature": 2.0}, 1)
    assert [job.seed for job in teacher_jobs] == [0, 1]


def test_each_fold_has_a_teacher_of_its_own_examples(teacher_jobs: list[Job]) -> None:
    protocol = Protocol(max_steps=2, precision="fp32", folds=2, final="train+validation")
    toy_rehearsal(Distill(teacher="toy[width=24]", hidden=0.1), protocol=protocol).fit_ok(
        {"lr": 1e-3, "alpha": 0.5, "temperature": 2.0}
    )
    one, other = ({*job.train.ids} for job in teacher_jobs)
    assert one
    assert not one & other


def test_the_teacher_sees_the_training_examples_alone(teacher_jobs: list[Job]) -> None:
    protocol = Protocol(max_steps=6, precision="fp32", train_limit=24)
    rehearsals = [
        toy_rehearsal(Distill(teacher="toy[width=24]", hidden=0.1), Mislabelled(inverts_validation=inverted), protocol)
        for inverted in (False, True)
    ]
    # The test split is sealed in a rehearsal: reading it would fail these fits.
    fits = [one.fit_ok({"lr": 1e-2, "alpha": 0.5, "temperature": 2.0}) for one in rehearsals]
    assert np.array_equal(fits[0].answers.scores, fits[1].answers.scores)
    assert fits[0].result.validation != fits[1].result.validation
    for job in teacher_jobs:
        assert len(job.train) == 24
        assert {*job.train.ids} <= {*rehearsals[0].data("train").ids}
        assert job.held_out is None
        assert job.examples("validation") is None


@pytest.mark.usefixtures("planted")
@pytest.mark.parametrize("stages", ["last", "all"])
@pytest.mark.parametrize(("teacher", "positions"), [("toy", True), ("toy[width=24]", True), ("knowing", False)])
def test_hidden_states_are_matched_by_position_where_the_rows_are_the_same(
    teacher: str, positions: bool, stages: Any
) -> None:
    strategy = Distill(teacher=teacher, teacher_strategy="linear-probe", hidden=1.0)
    job = make_job(strategy, ToyBackbone(), ToyTask(), {"lr": 1e-2, "alpha": 0.5, "temperature": 2.0}, PROTOCOL)
    states = states_of(job, teacher_job(job, job.backbone(teacher), {}), stages)
    match = HiddenMatch(states, job)
    rows = [5, 2, 9]
    batch = job.train.batch(rows)
    outputs = match.outputs(job.encoder, batch)
    # The toy has embeddings and three blocks.
    assert len(outputs) == job.notes["hidden_stages"] == (4 if positions and stages == "all" else 1)
    assert torch.equal(outputs[-1].x, job.encoder(batch).x)
    assert job.notes["hidden_positions"] == positions
    shape = (int(batch["mask"].sum()) if positions else 3, 16 if teacher == "toy" else 24)
    assert {tuple(one.shape) for one in states.of(rows)} == {shape}
    loss = float(match(job.encoder, outputs, rows).detach())
    if teacher == "toy":
        # The same weights: each position agrees with itself, and not with those of other rows.
        assert loss == pytest.approx(0, abs=1e-6)
        others = match.outputs(job.encoder, job.train.batch([2, 9, 5]))
        assert float(match(job.encoder, others, rows).detach()) > 1e-3
        assert not list(match.projections.parameters())
    else:
        assert {tuple(one.weight.shape) for one in match.projections} == {(24, 16)}
        assert loss > 1e-3


def test_matching_hidden_states_brings_them_nearer() -> None:
    apart = {}
    for hidden in (1e-9, 10.0):
        strategy = Distill(teacher="toy[weights=3]", teacher_strategy="linear-probe", hidden=hidden)
        params = {"lr": 1e-2, "alpha": 0.5, "temperature": 2.0}
        job = make_job(strategy, ToyBackbone(), ToyTask(), params, Protocol(max_steps=20, precision="fp32"))
        strategy.fit(job)
        states = states_of(job, teacher_job(job, job.backbone(strategy.teacher), {}), "last")
        rows = range(len(job.train))
        with torch.no_grad():
            outputs = [job.encoder(job.train.batch(rows))]
            apart[hidden] = float(HiddenMatch(states, job)(job.encoder, outputs, rows))
    assert apart[10.0] < 0.7 * apart[1e-9]


def test_stages_are_paired_at_equal_distances() -> None:
    assert stage_pairs(4, 7, "last") == stage_pairs(4, 7, "all")[-1:] == [(4, 7)]
    # TinyBERT of 4 blocks and BERT of 12: embeddings, and blocks 3, 6, 9 and 12.
    assert stage_pairs(5, 13, "all") == [(1, 1), (2, 4), (3, 7), (4, 10), (5, 13)]
    assert stage_pairs(1, 7, "all") == [(1, 7)]


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_the_soft_loss_is_hinton_s(temperature: float) -> None:
    draws = torch.Generator().manual_seed(0)
    mine, theirs = torch.randn(2, 5, 3, generator=draws, dtype=torch.float64)
    classes, labels = Classes(("a", "b", "c")), MultiLabel(("a", "b", "c"))
    p, q = (theirs / temperature).softmax(-1), (mine / temperature).softmax(-1)
    by_hand = temperature**2 * (p * (p / q).log()).sum(-1).mean()
    assert torch.allclose(soft_loss(PooledHead(4, classes), mine, theirs, classes, temperature), by_hand, rtol=1e-10)
    p, q = (theirs / temperature).sigmoid(), (mine / temperature).sigmoid()
    by_hand = temperature**2 * -(p * q.log() + (1 - p) * (1 - q).log()).mean()
    assert torch.allclose(soft_loss(PooledHead(4, labels), mine, theirs, labels, temperature), by_hand, rtol=1e-10)


def test_logits_give_the_predicted_probabilities() -> None:
    scores = np.array([[0.7, 0.3, 0.0], [0.0, 0.0, 1.0]], dtype=np.float32)
    predictions = Predictions(("a", "b"), np.array([0, 2]), scores)
    classes, labels = Classes(("x", "y", "z")), MultiLabel(("x", "y", "z"))
    assert np.allclose(logits_of(predictions, classes).softmax(-1), scores, atol=1e-6)
    assert np.allclose(logits_of(predictions, labels).sigmoid(), scores, atol=1e-6)
    with pytest.raises(PluginError, match="gives none"):
        logits_of(Predictions(("a", "b"), np.array([0, 2])), classes)


@pytest.mark.parametrize(
    ("options", "task", "reason"),
    [
        ({}, ToyTask(), "needs a teacher"),
        ({"teacher": "toy"}, ToyWordsTask(), "TokenClasses has none"),
        ({"teacher": "toy", "mixup_alpha": 0.2}, ToyTask(), "unmixed"),
        ({"teacher": "toy", "early_stopping_patience": 1}, ToyTask(), "the teacher has seen"),
        ({"teacher": "toy"}, ToyLabelsTask(), None),
        ({"teacher": "toy"}, ToyScalarTask(), None),
    ],
)
def test_what_is_not_supported_is_said(options: dict[str, Any], task: Task, reason: str | None) -> None:
    found = Distill(**options).supports(ToyBackbone(), task)
    assert found is None if reason is None else reason in (found or "")


def test_a_negative_weight_is_refused() -> None:
    with pytest.raises(UsageError, match="hidden=-1"):
        Distill(teacher="toy", hidden=-1.0)


def test_numbers_have_no_temperature() -> None:
    assert set(toy_rehearsal(Distill(teacher="toy"), ToyScalarTask()).space) == {"lr", "alpha"}
    assert set(toy_rehearsal(Distill(teacher="toy")).space) == {"lr", "alpha", "temperature"}


@dataclasses.dataclass(frozen=True)
class Sized(ToyBackbone):
    """A toy whose card has a number of parameters."""

    name = "sized"
    parameters: int = 2_000_000

    def card(self) -> Card:
        return Card(parameters=self.parameters, stages=2, width=16)


class SizedPlugin:
    @hookimpl
    def tlbench_backbones(self) -> list[Any]:
        return [Sized()]


def test_a_teacher_must_suit_the_task_and_its_memory_counts_beside_the_student_s_weights() -> None:
    task, need = ToyTask(), "backbone:sized"
    frozen, whole = Distill(teacher="sized", teacher_strategy="linear-probe"), Distill(teacher="sized")
    assert whole.accepts(need, Sized(), task) is None
    balanced = dataclasses.replace(whole, class_weight="balanced")
    assert "needs one class" in (balanced.accepts(need, Sized(), ToyLabelsTask()) or "")
    assert whole.resources_of_need(need, Sized(), task) == FullFinetune().resources(Sized(), task)
    catalog = Catalog.discover([Plugin("sized", "1", "sized", SizedPlugin())])
    student, alone = Sized(parameters=1_000), FullFinetune().resources(Sized(), task)
    taught = resources_of(student, task, whole, catalog)
    assert taught.memory_bytes == (alone.memory_bytes or 0) + 4 * student.parameters
    assert taught.host_bytes == alone.host_bytes + 4 * student.parameters
    assert taught.reason == f"sized, {alone.reason}"
    assert (resources_of(student, task, frozen, catalog).memory_bytes or 0) < (taught.memory_bytes or 0)
    large = Sized(parameters=10**9)
    assert resources_of(large, task, whole, catalog) == whole.resources(large, task)
