"""The training loop that a strategy may call: AdamW, warm-up and linear decay, batches of like length."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from tlbench.contracts.errors import Diverged, PluginError, UsageError
from tlbench.contracts.outputs import Output, Predictions
from tlbench.modeling.activations.activation_cache import Activations
from tlbench.modeling.activations.encoding import resting
from tlbench.modeling.batches import default_tokens, inference_batches, padding_share
from tlbench.modeling.data import Batch, Data, moved, to_device
from tlbench.modeling.encoder import Encoder, Hidden, count_parameters
from tlbench.modeling.heads import Head, Outputs
from tlbench.modeling.precision import autocast
from tlbench.modeling.predictor_files import read_settings, read_weights, write_predictor
from tlbench.training.adamw import AdamW, embeddings_by_row
from tlbench.training.parameters import Group, freeze, groups_of
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


class Model(nn.Module):
    """An encoder from stage `start` up and a head; the stages below are frozen."""

    def __init__(self, encoder: Encoder, head: Head, start: int = 0) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head
        self.start = start
        freeze(encoder, start)

    def forward(self, batch: Batch) -> Any:
        """Returns the head's logits for a batch of raw rows, or of the hidden states that stages[:start] put out.

        Training sees the same of both: a frozen prefix rests as a whole, even where a dropout without weights of its
        own stands in a module that trains.
        """
        hidden = batch.get("hidden")
        if not isinstance(hidden, Hidden):
            if not (self.training and self.start):
                return self.head(self.encoder, self.encoder(batch))
            with resting(self.encoder), torch.no_grad():
                hidden = self.encoder(batch, stop=self.start)
        if self.start < len(self.encoder.stages):
            hidden = self.encoder(hidden, start=self.start)
        return self.head(self.encoder, hidden)

    def train(self, mode: bool = True) -> Model:
        """Puts the model into train mode, but for what is frozen: its dropout and its running statistics rest."""
        super().train(mode)
        if mode:
            _rest(self.encoder, inherited=False)
        return self

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.encoder.device


class ModelPredictor:
    """Answers with a trained model; hidden states of a frozen prefix come from the activations, if given."""

    def __init__(self, model: Model, precision: str = "fp32", activations: Activations | None = None) -> None:
        self.model = model
        self.precision = precision
        self.activations = activations
        self.trainable_parameters = count_parameters(model, trainable=True)

    def predict(self, data: Data) -> Predictions:
        """Returns an answer for each example of the data, in order.

        Raises:
            Diverged: An answer is not finite.
        """
        model, device = self.model, self.model.device
        data = model.head.asked(data)
        cached = model.start > 0 and not data.augmented and not model.head.reads_batch
        if self.activations is not None and cached:
            data = self.activations.hidden(model.encoder, data, model.start, self.precision)
        model.eval()
        order: list[int] = []
        parts: list[Outputs] = []
        for indices in inference_batches(data.lengths, default_tokens(device.type)):
            with torch.inference_mode(), autocast(device, self.precision):
                outputs = self._answer(placed(data.batch(indices), device))
            if not outputs.is_finite:
                raise Diverged("an answer is not finite")
            order += indices
            parts.append(outputs)
        return model.head.merge([Outputs.joined(parts, order)], data)

    def save(self, folder: Path) -> None:
        """Writes what training may have changed, trained weights and all buffers, and what the model answers with."""
        write_predictor(folder, type(self).__name__, output_of(self.model.head), weights=_changed(self.model))

    @classmethod
    def load(cls, model: Model, job: Job, folder: Path) -> ModelPredictor:
        """Returns the predictor that `save` wrote, on a model that was built as the saved one was.

        Raises:
            UsageError: The folder holds no such predictor, or one of a model with other weights or another output.
        """
        read_settings(folder, cls.__name__, output_of(model.head))
        tensors = _changed(model)
        saved = read_weights(folder, {name: tuple(tensor.shape) for name, tensor in tensors.items()})
        for name, tensor in tensors.items():
            if saved[name].dtype != tensor.dtype:
                raise UsageError(f"{folder}: the saved {name} is {saved[name].dtype}, not {tensor.dtype}")
        with torch.no_grad():
            for name, tensor in tensors.items():
                tensor.copy_(saved[name])
        return cls(model, job.precision, job.activations)

    def _answer(self, batch: Batch) -> Outputs:
        hidden = batch.get("hidden")
        if isinstance(hidden, Hidden):
            return self.model.head.outputs(self.model(batch))
        return self.model.head.decode(self.model.encoder, batch)


def output_of(head: Head) -> Output | None:
    """Returns what a head answers with, where it says so as the package's own do."""
    output = getattr(head, "output", None)
    return output if isinstance(output, Output) else None


def _changed(model: nn.Module) -> dict[str, torch.Tensor]:
    trained = {name: tensor for name, tensor in model.named_parameters() if tensor.requires_grad}
    return {**trained, **dict(model.named_buffers())}


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
        groups: Weights with their lr and weight_decay; by default all at `job.params["lr"]`.
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
        PluginError: Nothing of the model takes a gradient.
        Pruned: The study stopped the trial.
    """
    device = model.device
    targets = model.head.targets(data)
    model.head.prepare(data)
    predictor = ModelPredictor(model, job.precision, job.activations)
    if model.start > 0 and not data.augmented:
        data = job.activations.hidden(model.encoder, data, model.start, job.precision)
    total = step_count(len(data), batch_size, job.protocol.max_steps, job.protocol.epochs)
    given = groups or groups_of(model, float(job.params["lr"]), weight_decay)
    given = [{**group, "params": list(group["params"])} for group in given]
    if not any(group["params"] for group in given):
        raise PluginError("nothing is left to train: the encoder is frozen and the head has no weight of its own")
    mover: AdamW | TorchOptimizer
    by_row: AbstractContextManager[None]
    if optimizer is None:
        mover, by_row = AdamW(given, max_grad_norm, keeps_gradients=after_step is not None), embeddings_by_row(model)
    else:
        # most of torch's optimisers take no sparse gradients
        mover, by_row = TorchOptimizer(optimizer(given), max_grad_norm), nullcontext()
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
                value = step.task_loss() if loss is None else loss(step)
            value.backward()
            norm = mover.step(rate(number - 1, total, warmup))
            finite &= torch.isfinite(value.detach()) & torch.isfinite(norm)
            if number % check_every == 0 and not finite:
                raise Diverged(f"the loss or its gradient is not finite by step {number} of {total}")
            if after_step is not None:
                after_step(step)
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
    predictor.trainable_parameters = count_parameters(model, trainable=True)
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


def placed(batch: Batch, device: torch.device) -> Batch:
    """Returns the batch on the device, hidden states too."""
    hidden = batch.get("hidden")
    if isinstance(hidden, Hidden):
        return {**to_device(batch, device), "hidden": hidden.to(device)}
    return to_device(batch, device)


def _report_steps(total: int) -> set[int]:
    return {total * part // REPORTS for part in range(1, REPORTS)} - {0, total}


def _rest(module: nn.Module, inherited: bool) -> None:
    """Puts into eval mode what has nothing to train; a module without weights goes by the nearest one around it."""
    weights = list(module.parameters())
    resting = not any(p.requires_grad for p in weights) if weights else inherited
    if resting:
        module.training = False
    for child in module.children():
        _rest(child, resting)
