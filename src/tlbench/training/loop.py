"""The training loop that a strategy may call: AdamW, warm-up and linear decay, batches of like length."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from typing import TYPE_CHECKING

import torch

from tlbench.contracts.errors import Diverged, PluginError
from tlbench.modeling.batches import default_tokens, inference_batches, padding_share
from tlbench.modeling.data import Data, moved
from tlbench.modeling.precision import autocast
from tlbench.training.adamw import AdamW, embeddings_by_row
from tlbench.training.checks import GroupCheck, check_loss, made_optimizer
from tlbench.training.model import Model, placed
from tlbench.training.model_predictor import ModelPredictor
from tlbench.training.parameters import Group, checked_groups, groups_of
from tlbench.training.steps import AfterStep, Loss, NewOptimizer, Step, TorchOptimizer
from tlbench.training.training_batches import train_batches

if TYPE_CHECKING:
    from tlbench.contracts.strategy import Job

DEFAULT_EPOCHS = 3.0
"""Where the protocol names neither steps nor epochs."""
REPORTS = 4
"""A fit that may be pruned is scored after each of so many equal parts, but for the last: the runner scores that."""
CHECK_EVERY = {"cpu": 1, "cuda": 25}
"""Steps between two looks at whether the loss was finite; a look makes the host wait for a GPU."""


def train(
    model: Model,
    data: Data,
    job: Job,
    groups: Sequence[Group] | None = None,
    *,
    batch_size: int = 16,
    weight_decay: float = 0.01,
    warmup: float = 0.1,
    max_grad_norm: float = 1.0,
    loss: Loss | None = None,
    after_step: AfterStep | None = None,
    optimizer: NewOptimizer | None = None,
) -> ModelPredictor:
    """Returns a predictor of the model trained on the data, for as long as the job's protocol says.

    A model with a frozen prefix is trained on the prefix's cached activations, unless the data is augmented.
    The same job on as many threads gives the same weights, bit by bit, on a CPU.

    Args:
        model: What to train; whatever takes a gradient is.
        data: Raw rows.
        job: Gives seed, protocol, precision, the study to report to, and `lr` where no groups are given.
        groups: Weights with their lr and weight_decay, each that will ever be trained in one of them; by default all
            that are trainable now, at `job.params["lr"]`.
        batch_size: Rows in one step.
        weight_decay: For the default groups.
        warmup: The share of steps over which the learning rate rises; after it, it falls to nothing.
        max_grad_norm: Longer gradients are shortened to this.
        loss: Returns the loss of a step; by default `Step.task_loss`, the head's of one pass.
        after_step: Called after each step with what the step was, such as to average weights or to unfreeze some.
        optimizer: Makes an optimiser of the groups, such as `torch.optim.SGD`; by default the package's own AdamW. The
            loop sets the learning rate of each group at each step.

    Raises:
        Diverged: A loss, a gradient or a weight is not finite.
        PluginError: Nothing of the model takes a gradient, or something that is in no group does, be it after a step;
            or a loss, an optimiser or groups that are none.
        Pruned: The study stopped the trial.
    """
    device = model.device
    targets = model.head.targets(data)
    model.head.prepare(data)
    predictor = ModelPredictor(model, job.precision, job.activations)
    if model.start > 0 and not data.augmented:
        data = job.activations.hidden(model.encoder, data, model.start, job.precision)
    total = step_count(len(data), batch_size, job.protocol.max_steps, job.protocol.epochs)
    given = checked_groups(groups or groups_of(model, float(job.params["lr"]), weight_decay))
    if not any(group["params"] for group in given):
        raise PluginError("nothing is left to train: the encoder is frozen and the head has no weight of its own")
    mover: AdamW | TorchOptimizer
    by_row: AbstractContextManager[None]
    if optimizer is None:
        mover, by_row = AdamW(given, max_grad_norm, keeps_gradients=after_step is not None), embeddings_by_row(model)
    else:
        # most of torch's optimisers take no sparse gradients
        mover, by_row = TorchOptimizer(made_optimizer(optimizer, given), max_grad_norm), nullcontext()
    check_groups = GroupCheck(model, lambda: mover.weights)
    check_groups()
    check_every = CHECK_EVERY.get(device.type, 1)
    reports = _report_steps(total) if job.protocol.pruner != "none" else set()
    finite = torch.ones((), dtype=torch.bool, device=device)
    with by_row, torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(job.seed)
        model.train()
        batches = train_batches(data.lengths, batch_size, job.seed)
        for number, indices in zip(range(1, total + 1), batches, strict=False):
            batch = placed(data.serve(indices), device)
            # cut on the host: a list of indices would have to wait for the GPU
            wanted = moved(targets[indices], device)
            step = Step(model, batch, wanted, indices, number, total)
            with autocast(device, job.precision):
                value = check_loss(step.task_loss() if loss is None else loss(step), loss, model)
            value.backward()
            norm = mover.step(rate(number - 1, total, warmup))
            finite &= torch.isfinite(value.detach()) & torch.isfinite(norm)
            if number % check_every == 0 and not finite:
                raise Diverged(f"the loss or its gradient is not finite by step {number} of {total}")
            if after_step is not None:
                after_step(step)
                check_groups()
                mover.adopt_changes()
                # what takes gradients from now on rests no more
                model.train()
            if after_step is not None or optimizer is not None:
                mover.drop_gradients()
            if number in reports:
                job.report(number, job.score(predictor), float(value.detach()))
                model.train()
    if not (finite and all(bool(torch.isfinite(p).all()) for p in mover.weights)):
        raise Diverged(f"a weight is not finite after {total} steps")
    model.eval()
    predictor.note_trained(grouped=mover.weights)
    job.notes["steps"] = total
    served = islice(train_batches(data.lengths, batch_size, job.seed), total)
    job.notes["padding_share"] = padding_share(data.lengths, served)
    asked = inference_batches(job.validation.lengths, default_tokens(device.type))
    job.notes["validation_padding_share"] = padding_share(job.validation.lengths, asked)
    return predictor


def step_count(rows: int, batch_size: int, max_steps: int | None, epochs: float | None) -> int:
    """Returns how many optimiser steps the protocol grants, at least 1."""
    if max_steps is not None:
        return max_steps
    return max(1, round((epochs or DEFAULT_EPOCHS) * math.ceil(rows / batch_size)))


def rate(step: int, total: int, warmup: float) -> float:
    """Returns the factor of the learning rate at a step counted from 0: up to 1 over the warm-up, then down to 0."""
    rising = max(1, round(total * warmup))
    if step < rising:
        return (step + 1) / rising if warmup > 0 else 1.0
    return max(0.0, (total - step) / max(1, total - rising + 1))


def _report_steps(total: int) -> set[int]:
    return {total * part // REPORTS for part in range(1, REPORTS)} - {0, total}
