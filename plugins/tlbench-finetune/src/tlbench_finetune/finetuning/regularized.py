"""Full fine-tuning with a regulariser: L2-SP and mixout keep close to the pretrained weights, R-Drop to itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from tlbench import Backbone, Classes, Float, Job, Scalar, Space, SpaceContext, Task, Value
from tlbench.training import GradientStrategy, Objective
from tlbench_finetune.finetuning.base_classes import Finetuning

if TYPE_CHECKING:
    from torch import Tensor

    from tlbench.training import Loss, Model, Step


@dataclass(frozen=True)
class L2Sp(Finetuning):
    """Full fine-tuning with an L2 penalty on the distance from the pretrained weights, and on the head's weights.

    The penalties are sums over all weights and part of the loss, alpha/2 |w - start|^2 + beta/2 |head|^2, as in the
    paper; so the minimum, and with it what alpha means, does not depend on the optimiser. The defaults, 0.1 and 0.01,
    are those of the authors' script. In 48 steps on 500 questions of TREC (minilm-l6, lr 1e-4, one seed), alpha = 0.1
    shortens the squared distance from the start by a third, 0.01 by a twentieth and 0.001 hardly; of 1,090 others,
    83.9%, 84.5% and 84.4% are right, and 84.4% without a penalty: no difference above the noise.
    """

    name: ClassVar[str] = "l2-sp"
    paper: ClassVar[str] = "Li et al. 2018, arXiv:1802.01483"
    loss_adds_up: ClassVar[bool] = True
    # The penalties take its place.
    weight_decay: float = 0.0

    def space(self, about: SpaceContext) -> Space:
        """Returns the learning rates of full fine-tuning, and the penalties: from next to none to a strong pull."""
        penalties = {"alpha": Float(1e-3, 1.0, log=True), "beta": Float(1e-3, 1e-1, log=True)}
        return {**super().space(about), **penalties}

    def defaults(self, about: SpaceContext) -> dict[str, Value]:
        """Returns the default learning rate of full fine-tuning, and the penalties of the authors' script."""
        return {**super().defaults(about), "alpha": 0.1, "beta": 0.01}

    def clash(self, parts: Mapping[str, GradientStrategy]) -> str | None:
        """Returns why it makes no sense beside other parts (no pretrained weight moves), or None."""
        return _without_pretrained(self, parts) or super().clash(parts)

    def objective(self, model: Model, job: Job) -> Objective:
        """Returns the task's loss and the two penalties."""
        return Objective(_l2_sp(model, float(job.params["alpha"]), float(job.params["beta"])))


def _l2_sp(model: Model, alpha: float, beta: float) -> Loss:
    """Returns the task's loss plus alpha/2 times the squared distance from the start and beta/2 times that from 0."""
    from tlbench.training.steps import adds_up

    start = [(weight, weight.detach().clone()) for weight in model.encoder.parameters()]
    encoder = {id(weight) for weight, _ in start}
    # A head that shares a table with the encoder has only its own weights penalised.
    head = [weight for weight in model.head.parameters() if id(weight) not in encoder]

    def loss(step: Step) -> Tensor:
        moved = sum((weight - origin).square().sum() for weight, origin in start)
        size = sum(weight.square().sum() for weight in head)
        return step.task_loss() + alpha / 2 * moved + beta / 2 * size

    return adds_up(loss)


@dataclass(frozen=True)
class Mixout(Finetuning):
    """Full fine-tuning in which each weight of a linear layer is replaced by its pretrained value with probability p.

    It takes the place of dropout: another mask is drawn at each step, and the mean of the weights is preserved. The new
    head is mixed with zeros, which is DropConnect (Wan et al. 2013).
    """

    name: ClassVar[str] = "mixout"
    paper: ClassVar[str] = "Lee et al. 2020, arXiv:1909.11299"

    def space(self, about: SpaceContext) -> Space:
        """Returns the learning rates of full fine-tuning, and the probability of a pretrained weight."""
        return {**super().space(about), "p": Float(0.1, 0.9)}

    def defaults(self, about: SpaceContext) -> dict[str, Value]:
        """Returns the default learning rate of full fine-tuning, and the paper's probability."""
        return {**super().defaults(about), "p": 0.7}

    def clash(self, parts: Mapping[str, GradientStrategy]) -> str | None:
        """Returns why it makes no sense beside other parts (no pretrained weight moves), or None."""
        return _without_pretrained(self, parts) or super().clash(parts)

    def objective(self, model: Model, job: Job) -> Objective:
        """Returns the task's loss of the mixed model, without dropout."""
        return Objective(_mixed(model, float(job.params["p"])), dropout=0.0)


def _mixed(model: Model, p: float) -> Loss:
    """Returns the task's loss of a model whose linear layers are mixed with their initial weights."""
    import torch
    from torch import nn

    start = {
        f"{name}.weight": (module.weight, module.weight.detach().clone())
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
    }
    # The head is new: mixing it with its random start would keep what nothing has learnt.
    for name, module in model.head.named_modules(prefix="head"):
        if isinstance(module, nn.Linear):
            start[f"{name}.weight"] = (module.weight, torch.zeros_like(module.weight))

    def loss(step: Step) -> Tensor:
        mixed = {}
        for name, (weight, origin) in start.items():
            keeps = torch.rand_like(weight) >= p
            mixed[name] = (torch.where(keeps, weight, origin) - p * origin) / (1 - p)
        logits = torch.func.functional_call(step.model, mixed, (step.batch,))
        return step.model.head.loss(logits, step.targets)

    return loss


@dataclass(frozen=True)
class RDrop(Finetuning):
    """Full fine-tuning that passes each batch twice, with other dropout, and penalises how the predictions differ.

    The penalty is the symmetric Kullback-Leibler divergence of class probabilities, or the squared difference of
    numbers. A step costs two passes.
    """

    name: ClassVar[str] = "r-drop"
    paper: ClassVar[str] = "Liang et al. 2021, arXiv:2106.14448"

    def space(self, about: SpaceContext) -> Space:
        """Returns the learning rates of full fine-tuning, and the weight of the penalty in the paper's range."""
        return {**super().space(about), "alpha": Float(0.1, 10.0, log=True)}

    def defaults(self, about: SpaceContext) -> dict[str, Value]:
        """Returns the default learning rate of full fine-tuning, and the penalty's weight that the paper uses most."""
        return {**super().defaults(about), "alpha": 1.0}

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns the reason why a task is not supported (its predictions are neither classes nor numbers), or None."""
        if isinstance(task.output, Classes | Scalar):
            return super().supports(backbone, task)
        return f"r-drop compares class probabilities or numbers; {type(task.output).__name__} has neither"

    def objective(self, model: Model, job: Job) -> Objective:
        """Returns the mean loss of both passes and the penalty."""
        is_number, alpha = isinstance(job.task.output, Scalar), float(job.params["alpha"])

        def loss(step: Step) -> Tensor:
            first, second = step.model(step.batch), step.model(step.batch)
            head = step.model.head
            mean = (head.loss(first, step.targets) + head.loss(second, step.targets)) / 2
            return mean + alpha * _difference(first, second, is_number)

        return Objective(loss)


def _without_pretrained(strategy: GradientStrategy, parts: Mapping[str, GradientStrategy]) -> str | None:
    """Returns why a strategy that holds weights at their pretrained values has none to hold, or None if it has."""
    wrap, start = parts.get("wrap", strategy), parts.get("start", strategy)
    if wrap.trains in ("few weights", "head"):
        return f"{strategy.name} holds trained weights at their pretrained values, and {wrap.name} freezes those"
    if start.knows_nothing:
        return f"{strategy.name} holds weights at their pretrained values, and {start.name} has none"
    return None


def _difference(first: Any, second: Any, is_number: bool) -> Any:
    """Returns the mean squared difference of numbers, or half the symmetric KL divergence of logits (B, K)."""
    from torch.nn import functional

    if is_number:
        return functional.mse_loss(first.float(), second.float())
    one, other = first.float().log_softmax(-1), second.float().log_softmax(-1)
    there = functional.kl_div(one, other, log_target=True, reduction="batchmean")
    back = functional.kl_div(other, one, log_target=True, reduction="batchmean")
    return (there + back) / 2
