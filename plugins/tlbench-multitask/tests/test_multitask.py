"""Intermediate-task training and multi-task learning: the conformance checks, what is transferred, and what is seen."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from tlbench_finetune.finetuning.whole import FullFinetune
from tlbench_multitask.intermediate import IntermediateTask
from tlbench_multitask.joint import MultiTask
from tlbench_multitask.task_batches import TaskBatches

from tlbench import Examples, Job, Protocol, SplitName, Task, Text
from tlbench.testing.conformance import StrategyConformance
from tlbench.testing.jobs import make_job, toy_rehearsal
from tlbench.testing.toy_kinds import ToyLabelsTask
from tlbench.testing.toys import ToyBackbone, ToyScalarTask, ToyTask
from tlbench.training import Model, Step, train_batches

PROTOCOL = Protocol(max_steps=6, precision="fp32")
LARGER = "toy-labels[train=320]"
"""A larger task that says of each sentence whether it has a friendly, an unfriendly word and a negation."""


class TestIntermediateTask(StrategyConformance):
    strategy = IntermediateTask(task="toy-count")
    protocol = Protocol(max_steps=4, precision="fp32", pruner="median")
    draws = 1


class TestMultiTask(StrategyConformance):
    strategy = MultiTask(tasks="toy-count+toy-labels+toy-names")
    tasks = (ToyTask(), ToyScalarTask())
    protocol = Protocol(max_steps=4, precision="fp32", pruner="median")
    draws = 1


@pytest.fixture
def first_fits(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """Returns a list that receives the job of each fit of an intermediate task; its rate suits the toy."""
    jobs: list[Job] = []
    fit_first = FullFinetune.fit

    def recorded(strategy: FullFinetune, job: Job) -> Any:
        jobs.append(dataclasses.replace(job, params={"lr": 1e-2}))
        return fit_first(strategy, jobs[-1])

    monkeypatch.setattr(FullFinetune, "fit", recorded)
    return jobs


@dataclasses.dataclass(frozen=True)
class CueWords(ToyTask):
    """The toy task without negations: the cue word alone decides."""

    @staticmethod
    def _sentence(draw: Any, index: int) -> tuple[tuple[Any, ...], Any, str]:
        # Of each eight sentences of the toy task, the third and the fourth are not negated.
        return ToyTask._sentence(draw, 2 + index % 2)


@pytest.mark.usefixtures("first_fits")
@pytest.mark.parametrize("strategy", [IntermediateTask(task=LARGER), MultiTask(tasks=LARGER)], ids=lambda one: one.name)
def test_a_few_examples_suffice_where_a_related_task_has_many(strategy: Any) -> None:
    protocol, few = Protocol(max_steps=80, precision="fp32"), CueWords(train=16, validation=128)
    alone = toy_rehearsal(FullFinetune(), few, protocol).fit_ok({"lr": 1e-2})
    helped = toy_rehearsal(strategy, few, protocol).fit_ok({"lr": 1e-2})
    # Found were 0.64 and 0.65 alone for two seeds, 0.84 and 0.91 after the other task, 0.89 and 1.0 together with it.
    assert helped.result.validation > alone.result.validation + 0.1


def test_the_intermediate_task_is_trained_on_once_for_all_trials_of_a_seed(first_fits: list[Job]) -> None:
    rehearsal = toy_rehearsal(IntermediateTask(task="toy-count"))
    trials = [rehearsal.fit_ok({"lr": lr}) for lr in (1e-4, 1e-3)]
    assert [(job.seed, job.task.name, len(job.train)) for job in first_fits] == [(0, "toy-count", 64)]
    # Each trial is charged what it would need alone.
    assert trials[0].result.setup_seconds == trials[1].result.setup_seconds > 0
    rehearsal.fit_ok({"lr": 1e-3}, 1)
    assert [job.seed for job in first_fits] == [0, 1]


def test_training_goes_on_from_the_weights_of_the_intermediate_task(first_fits: list[Job]) -> None:
    strategy = IntermediateTask(task="toy-count")
    job = make_job(strategy, ToyBackbone(), ToyTask(), {"lr": 0.0}, PROTOCOL)
    pretrained = ToyBackbone().load().native.blocks[0].attention.weight
    predictor: Any = strategy.fit(job)
    assert len(first_fits) == 1
    weights = job.once("intermediate task", dict)
    for name, tensor in predictor.model.encoder.state_dict().items():
        assert torch.equal(tensor, weights[name]), name
    assert not torch.equal(predictor.model.encoder.native.blocks[0].attention.weight, pretrained)
    assert predictor.model.head is job.head


@pytest.mark.parametrize("strategy", [IntermediateTask(task="toy-count"), MultiTask(tasks="toy-count")])
def test_of_the_other_task_neither_test_examples_nor_validation_labels_are_used(
    strategy: Any, first_fits: list[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    split, added = ToyScalarTask.split, 0.0

    def recorded(task: ToyScalarTask, name: SplitName) -> Examples | None:
        read.append(name)
        examples = split(task, name)
        if name != "validation" or examples is None:
            return examples
        return Examples(dataclasses.replace(one, target=one.target + added) for one in examples)

    monkeypatch.setattr(ToyScalarTask, "split", recorded)
    first = toy_rehearsal(strategy).fit_ok({"lr": 1e-2})
    added = 7.0
    second = toy_rehearsal(strategy).fit_ok({"lr": 1e-2})
    assert np.array_equal(first.answers.scores, second.answers.scores)
    assert {"train", "validation"} <= {*read} <= {"train", "validation", "unlabeled"}
    assert all(job.held_out is None for job in first_fits)


def batches_of(strategy: MultiTask) -> tuple[Job, TaskBatches]:
    job = make_job(strategy, ToyBackbone(), ToyTask(), {"lr": 1e-3}, PROTOCOL)
    return job, TaskBatches(job, [job.other(name) for name in strategy.names], strategy)


def test_tasks_are_drawn_in_proportion_to_their_examples_or_equally() -> None:
    tasks = "toy-count+toy-labels[train=128]"
    assert batches_of(MultiTask(tasks=tasks))[1].shares == [0.25, 0.25, 0.5]
    assert batches_of(MultiTask(tasks=tasks, mixing="equal"))[1].shares == [1 / 3] * 3
    fitted = toy_rehearsal(MultiTask(tasks=tasks), protocol=Protocol(max_steps=64, precision="fp32")).fit_ok(
        {"lr": 1e-3}
    )
    assert fitted.result.notes["steps"] == 64
    # A quarter of 64 steps is 16, with a standard deviation of 3.5: four of them.
    assert 2 <= fitted.result.notes["own_task_steps"] <= 30


def test_an_epoch_is_a_pass_over_the_task_s_own_examples() -> None:
    protocol = Protocol(epochs=2, precision="fp32")
    fitted = toy_rehearsal(MultiTask(tasks="toy-labels[train=128]"), protocol=protocol).fit_ok({"lr": 1e-3})
    # Two times 64 examples in batches of 16, which are a third of all.
    assert fitted.result.notes["steps"] == 24


def test_a_step_of_another_task_is_its_own_loss_on_its_next_batch() -> None:
    job, batches = batches_of(MultiTask(tasks="toy-count"))
    batches.shares = [0.0, 1.0]
    model = Model(job.encoder, job.head).eval()
    (head,) = batches.heads
    head.eval()
    step = Step(model, job.train.batch([0]), torch.tensor([0]), [0], 1, 1)
    other = job.other("toy-count").train
    rows = next(train_batches(other.lengths, 16, job.seed))
    targets = torch.tensor([other.examples[row].target for row in rows])
    numbers = head(job.encoder, job.encoder(other.batch(rows))).squeeze(-1)
    every = torch.tensor([example.target for example in other.examples])
    by_hand = ((numbers - (targets - every.mean()) / every.std()) ** 2).mean()
    assert torch.allclose(batches.loss(step), by_hand, rtol=1e-4)
    assert batches.steps == [0, 1]
    batches.shares = [1.0, 0.0]
    assert torch.equal(batches.loss(step), step.task_loss())


def test_the_encoder_learns_from_the_other_tasks_and_their_heads_are_trained() -> None:
    strategy = MultiTask(tasks="toy-count", mixing="equal")
    job, heads = make_job(strategy, ToyBackbone(), ToyTask(), {"lr": 1e-2}, PROTOCOL), []
    other = job.other("toy-count")

    def new_head() -> Any:
        heads.append(other.new_head())
        start.append(heads[0].linear.weight.detach().clone())
        return heads[0]

    start: list[Any] = []
    together: Any = strategy.fit(
        dataclasses.replace(job, other=lambda name: dataclasses.replace(other, new_head=new_head))
    )
    assert not torch.equal(heads[0].linear.weight, start[0])
    assert heads[0] is not together.model.head
    # What is saved is the encoder and the task's own head.
    assert together.trainable_parameters == sum(weight.numel() for weight in together.model.parameters())


class Writing(ToyTask):
    output = Text()


@pytest.mark.parametrize(
    ("strategy", "task", "reason"),
    [
        (IntermediateTask(), ToyTask(), "needs another task"),
        (IntermediateTask(task="toy-count"), Writing(), "written by a decoder"),
        (IntermediateTask(task="toy-count"), ToyLabelsTask(), None),
        (MultiTask(), ToyTask(), "needs other tasks"),
        (MultiTask(tasks="toy-count+toy-count"), ToyTask(), "names a task twice"),
        (MultiTask(tasks="toy-count"), Writing(), "written by a decoder"),
        (MultiTask(tasks="toy-count", mixup_alpha=0.2), ToyTask(), "several tasks"),
        (MultiTask(tasks="toy-count"), ToyLabelsTask(), None),
    ],
)
def test_what_is_not_supported_is_said(strategy: Any, task: Task, reason: str | None) -> None:
    found = strategy.supports(ToyBackbone(), task)
    assert found is None if reason is None else reason in (found or "")


def test_the_other_tasks_are_declared() -> None:
    assert IntermediateTask(task="a").needs() == ("task:a",)
    assert MultiTask(tasks="a[x=1] + b").needs() == ("task:a[x=1]", "task:b")
    assert IntermediateTask().needs() == MultiTask().needs() == ()
