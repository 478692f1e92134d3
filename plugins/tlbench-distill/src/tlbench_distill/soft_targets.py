"""The predictions of a teacher on the training examples, and the loss of learning them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from tlbench import Classes, Job, MultiLabel, Output, PluginError, Predictions, Scalar, Strategy
from tlbench.modeling.heads import Head
from tlbench.modeling.precision import at_least_fp32
from tlbench.training import teacher_job
from tlbench_distill.hidden_states import Stages, TeacherStates, states_of

NEAR_ZERO = 1e-7
"""The least probability of a label, and of its absence: fp32 cannot tell probabilities that are nearer to 1 apart."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """What the student learns from the teacher."""

    answers: Tensor
    """For each of N training examples the teacher's logits, (N, K) for classes or labels, or its number, (N,)."""
    states: TeacherStates | None
    """The teacher's hidden states; None if they are not matched."""


def teach(job: Job, teacher: str, strategy: Strategy, stages: Stages | None) -> Lesson:
    """Returns the predictions of a teacher that is adapted to the job's training examples, and its hidden states.

    Nothing of the teacher itself is kept, so that its memory is free when the student is trained.

    Args:
        job: The student's job.
        teacher: The name of the teacher's backbone.
        strategy: How the teacher is adapted; it gets its default hyperparameters.
        stages: Which hidden states are wanted; None for none.

    Raises:
        PluginError: The teacher's head gives no probabilities.
    """
    loaded = job.backbone(teacher)
    own = teacher_job(job, loaded, strategy.defaults(loaded.about))
    answers = logits_of(strategy.fit(own).predict(own.train), job.task.output)
    return Lesson(answers, states_of(job, own, stages) if stages else None)


def logits_of(predictions: Predictions, output: Output) -> Tensor:
    """Returns logits that give the predicted probabilities, (N, K), or the predicted numbers, (N,), in fp32.

    Raises:
        PluginError: There are no probabilities.
    """
    if isinstance(output, Scalar):
        return torch.as_tensor(predictions.values).float()
    if predictions.scores is None:
        raise PluginError(
            "distill learns probabilities, and the head of the teacher gives none: choose another teacher"
        )
    scores = torch.as_tensor(predictions.scores).double()
    if isinstance(output, MultiLabel):
        return torch.logit(scores, eps=NEAR_ZERO).float()
    return scores.clamp(min=torch.finfo(torch.float32).tiny).log().float()


def soft_loss(head: Head, logits: Tensor, answers: Tensor, output: Output, temperature: float) -> Tensor:
    """Returns the mean loss of a batch against the teacher's answers, a scalar.

    At a temperature T the gradients of probabilities shrink by 1 / T^2, which is made up for (Hinton et al. 2015).

    Args:
        head: The student's head, whose loss is that of numbers.
        logits: The student's logits, (B, K), or standardised numbers, (B, 1).
        answers: The teacher's logits, (B, K), or numbers, (B,).
        output: The output of the task.
        temperature: Divides both logits.
    """
    if isinstance(output, Scalar):
        return head.loss(logits, answers)
    mine, theirs = at_least_fp32(logits) / temperature, answers / temperature
    if isinstance(output, Classes):
        value = functional.kl_div(mine.log_softmax(-1), theirs.log_softmax(-1), log_target=True, reduction="batchmean")
    else:
        value = functional.binary_cross_entropy_with_logits(mine, theirs.sigmoid())
    return temperature**2 * value
