"""The training loop for strategies: AdamW, linear warm-up and decay, and batches of rows of similar length."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from typing import TYPE_CHECKING

import torch

from tlbench.contracts.errors import Diverged, PluginError
from tlbench.contracts.executor import RUNG_PARTS, RUNG_PRUNERS, step_of_part
from tlbench.modeling.batches import default_tokens, inference_batches, padding_share
from tlbench.modeling.data import Data
from tlbench.modeling.devices.device_group import ALONE
from tlbench.modeling.heads.balanced_weights import ClassWeight, balanced_weights
from tlbench.training.adamw import AdamW, embeddings_by_row
from tlbench.training.checks import GroupCheck, build_optimizer
from tlbench.training.model import Model
from tlbench.training.model_predictor import ModelPredictor
from tlbench.training.parameters import Group, checked_groups, groups_of
from tlbench.training.recipe.batch_parts import BatchPass
from tlbench.training.recipe.schedules import Schedule, rate
from tlbench.training.steps import AfterStep, EndLosses, Loss, LossCurve, NewOptimizer, TorchOptimizer
from tlbench.training.training_batches import train_batches

if TYPE_CHECKING:
    from tlbench.contracts.fits.job import Job

DEFAULT_EPOCHS = 3.0
"""The number of epochs if the protocol sets neither steps nor epochs."""
REPORTS = 4
"""The number of equal parts of a fit that thresholds may prune. The model is scored after every part except the last,
because the runner scores the finished fit anyway."""
CHECK_EVERY = {"cpu": 1, "cuda": 25}
"""Steps between checks that the loss is finite; each check makes the host wait for a GPU."""


def train(
    model: Model,
    data: Data,
    job: Job,
    groups: Sequence[Group] | None = None,
    *,
    batch_size: int = 16,
    weight_decay: float = 0.01,
    warmup: float = 0.1,
    schedule: Schedule = "linear",
    bias_correction: bool = True,
    max_grad_norm: float = 1.0,
    class_weight: ClassWeight | None = None,
    loss: Loss | None = None,
    after_step: AfterStep | None = None,
    optimizer: NewOptimizer | None = None,
) -> ModelPredictor:
    """Trains the model on the data for the protocol's number of steps or epochs and returns its predictor.

    A model with a frozen prefix is trained on the prefix's cached activations, unless the data is augmented. On a CPU,
    the same job gives bit-equal parameters at the same number of threads. Where the job has several devices, each
    batch is divided among them, and the parameters are those of one device up to rounding, except for the masks that
    dropout draws.

    Args:
        model: The model; all of its parameters that require a gradient are trained.
        data: The training rows.
        job: Provides seed, protocol, precision, the pruner's `report`, and `params["lr"]` for the default groups.
        groups: Parameter groups with lr and weight_decay, which must contain every parameter that will ever be trained;
            by default all parameters that are trainable now, at `job.params["lr"]`.
        batch_size: Rows per step.
        weight_decay: The weight decay of the default groups.
        warmup: The fraction of steps in which the learning rate rises linearly; afterwards it follows the schedule.
        schedule: How the learning rate falls after the warm-up.
        bias_correction: Whether AdamW corrects the bias of its moments towards 0 in the first steps.
        max_grad_norm: The maximum norm of the gradients; larger ones are scaled down to it.
        class_weight: "balanced" to weigh each class inversely to its frequency in the data (`balanced_weights`), in the
            head's loss; None for equal weights. The loss of a batch is then the weighted mean over its targets.
        loss: Returns the loss of a step; by default `Step.task_loss`, the head's loss of one forward pass.
        after_step: A hook called after each step, for example to average parameters or to unfreeze some. Training ends
            after a step for which it returns True.
        optimizer: Returns an optimiser for the groups, such as `torch.optim.SGD`; by default the package's AdamW. The
            loop sets the learning rate of each group at each step.

    Raises:
        Diverged: A loss, a gradient or a parameter is not finite.
        PluginError: Nothing is trainable; a trainable parameter, even one that was unfrozen after a step, is in no
            group; the head has no class weights; the loss, the optimiser or the groups are not valid; or batches cannot
            be divided among the job's devices.
        Pruned: The pruner stopped the trial.
        IndivisibleBatch: The job asks for batches in parts, and they cannot be divided.
    """
    device, group = model.device, job.device_group or ALONE
    group.copy_from_first(model)
    targets = model.head.targets(data)
    model.head.prepare(data)
    if class_weight is not None:
        model.head.weigh_classes(balanced_weights(targets, len(job.task.output.classes)).to(device))
    predictor = ModelPredictor(model, job.precision, job.activations)
    # Augmented rows differ in every epoch, so their hidden states cannot be cached.
    if model.start > 0 and not data.augmented:
        data = job.activations.hidden(model.encoder, data, model.start, job.precision)
    total = step_count(len(data), batch_size, job.protocol.max_steps, job.protocol.epochs)
    checked = checked_groups(groups or groups_of(model, float(job.params["lr"]), weight_decay))
    if not any(group["params"] for group in checked):
        raise PluginError(
            "nothing is left to train: the encoder is frozen and the head has no parameters; lower `start`"
        )
    stepper: AdamW | TorchOptimizer
    sparse_embeddings: AbstractContextManager[None]
    if optimizer is None:
        keeps = after_step is not None
        stepper = AdamW(
            checked, max_grad_norm, keeps_gradients=keeps, bias_correction=bias_correction, device_group=group
        )
        # Devices look up different rows, so that their gradients are added up whole.
        sparse_embeddings = embeddings_by_row(model) if group.size == 1 else nullcontext()
    else:
        # Most of torch's optimisers do not support sparse gradients.
        stepper, sparse_embeddings = TorchOptimizer(build_optimizer(optimizer, checked), max_grad_norm), nullcontext()
    check_groups = GroupCheck(model, lambda: stepper.weights)
    check_groups()
    check_every = CHECK_EVERY.get(device.type, 1)
    reports = _report_steps(total, job.protocol.pruner, job.report_parts)
    finite = torch.ones((), dtype=torch.bool, device=device)
    losses, curve = EndLosses(total, device), LossCurve(total, device)
    run_batch = BatchPass(model, data, targets, job, loss, total)
    run_batch.check()
    # `fork_rng` restores the caller's random state, so that a fit does not change the random numbers after it.
    with sparse_embeddings, torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(group.seed_of(job.seed))
        model.train()
        batches = train_batches(data.lengths, batch_size, job.seed)
        for number, indices in zip(range(1, total + 1), batches, strict=False):
            value, step = run_batch(number, indices)
            value = group.sum_gradients(stepper.weights, value)
            norm = stepper.step(rate(number - 1, total, warmup, schedule))
            # Accumulated on the device; only the check below waits for it.
            finite &= torch.isfinite(value) & torch.isfinite(norm)
            losses.add(number, value)
            curve.add(number, value)
            if number % check_every == 0 and not finite:
                raise Diverged(f"the loss or its gradient is not finite by step {number} of {total}")
            stops = False
            if after_step is not None:
                stops = bool(group.of_first(float(bool(after_step(step)))))
                check_groups()
                stepper.sync_masters()
                # Parameters that the hook has unfrozen leave eval mode.
                model.train()
            if after_step is not None or optimizer is not None:
                stepper.zero_grad()
            if stops:
                break
            if number in reports:
                job.report(number, job.score(predictor), float(value), total)
                # Scoring has set eval mode.
                model.train()
    if not (finite and all(bool(torch.isfinite(p).all()) for p in stepper.weights)):
        raise Diverged(f"a parameter is not finite after {number} steps")
    model.eval()
    predictor.note_trained(grouped=stepper.weights)
    job.notes["steps"] = number
    job.notes.update(losses.notes())
    job.losses[:] = curve.points(number)
    # The generator is deterministic, so the batches can be listed again instead of being stored.
    batches_served = islice(train_batches(data.lengths, batch_size, job.seed), number)
    job.notes["padding_share"] = padding_share(data.lengths, batches_served)
    if job.held_out is not None:
        validation_batches = inference_batches(job.held_out.lengths, default_tokens(device.type))
        job.notes["validation_padding_share"] = padding_share(job.held_out.lengths, validation_batches)
    return predictor


def step_count(rows: int, batch_size: int, max_steps: int | None, epochs: float | None) -> int:
    """Returns the number of optimiser steps that the protocol's steps or epochs amount to, at least 1."""
    if max_steps is not None:
        return max_steps
    return max(1, round((epochs or DEFAULT_EPOCHS) * math.ceil(rows / batch_size)))


def _report_steps(total: int, pruner: str, parts: tuple[int, ...]) -> set[int]:
    if pruner == "none":
        return set()
    if pruner in RUNG_PRUNERS:
        return {step_of_part(total, part) for part in parts or RUNG_PARTS} - {total}
    # With fewer steps than parts, some parts end at step 0 or at the last step.
    return {total * part // REPORTS for part in range(1, REPORTS)} - {0, total}
