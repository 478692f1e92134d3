"""Pre-trains a network to classify fractals and writes its weights with the recipe and log in their metadata.

A checkpoint is kept beside the weights: after an interruption the same command resumes, and ends with the same weights.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import timm
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Generator, Tensor, nn

from tlbench import Diverged
from tlbench_timm.fractals.recipe import Recipe
from tlbench_timm.fractals.render import augment, fractals

CLASSIFIER = ("head.", "fc.")
"""Prefixes of the classifier's parameters, which are not saved, since the fractal classes are of no use elsewhere."""
_EVERY = 20
"""Number of steps between log lines and between checkpoints."""


def create(architecture: str, size: int, classes: int) -> nn.Module:
    """Returns a timm model with random weights; with `classes` 0 it has no classifier.

    Transformers are pooled by the mean over patches, which learns faster than a class token in few steps (Beyer et al.
    2022, arXiv:2205.01580).
    """
    options: dict[str, Any] = {"img_size": size, "global_pool": "avg"} if "vit" in architecture else {}
    model: nn.Module = timm.create_model(architecture, num_classes=classes, **options)
    return model


def pretrain(recipe: Recipe, path: Path, say: Callable[[str], None] = print) -> None:
    """Trains by the recipe and writes the encoder's weights as safetensors, with recipe and log in the metadata.

    Args:
        recipe: What to render and how to train.
        path: The safetensors file to write; the checkpoint is beside it until training ends.
        say: Receives each line of the log.

    Raises:
        Diverged: The loss is not finite.
    """
    images, labels = fractals(recipe)
    say(f"{len(images)} images of {recipe.classes} systems")
    # Images come class by class, so the first `held_out` instances of every class are held out.
    held_out = torch.arange(len(labels)) % recipe.instances < recipe.held_out
    train_images, train_labels = images[~held_out], labels[~held_out]
    torch.manual_seed(recipe.seed)
    model = create(recipe.architecture, recipe.size, recipe.classes)
    optimizer = torch.optim.AdamW(_groups(model, recipe.weight_decay), lr=recipe.learning_rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, recipe))
    checkpoint = path.with_suffix(".checkpoint")
    first, seconds, log = _resume(checkpoint, recipe, model, optimizer, schedule)
    model.train()
    # CPU seconds, including those before an interruption; wall time would depend on what else the machine runs.
    start, losses = time.process_time() - seconds, []
    for step in range(first, recipe.steps):
        loss = _loss(model, train_images, train_labels, recipe, step)
        losses.append(loss.item())
        if not math.isfinite(losses[-1]):
            raise Diverged(f"the loss is {losses[-1]} at step {step}")
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        completed = step + 1
        if completed % _EVERY == 0 or completed == recipe.steps:
            log.append([completed, round(sum(losses) / len(losses), 4)])
            losses = []
            say(f"step {completed} of {recipe.steps}: loss {log[-1][1]}, {time.process_time() - start:.0f} CPU seconds")
            _save_checkpoint(
                checkpoint, recipe, completed, time.process_time() - start, log, model, optimizer, schedule
            )
    accuracy = _accuracy(model, images[held_out], labels[held_out], recipe)
    say(f"{accuracy:.3f} accuracy on held-out instances")
    metadata = {
        "format": "pt",
        "recipe": recipe.json,
        "recipe_digest": recipe.digest,
        "held_out_accuracy": f"{accuracy:.4f}",
        "cpu_seconds": f"{time.process_time() - start:.0f}",
        "log": json.dumps(log),
        "torch": torch.__version__,
        "timm": timm.__version__,
        "licence": "Apache-2.0",
    }
    weights = {k: v.contiguous() for k, v in model.state_dict().items() if not k.startswith(CLASSIFIER)}
    # safetensors takes contiguous tensors only.
    save_file(weights, path, metadata=metadata)
    checkpoint.unlink()


def _loss(model: nn.Module, images: Tensor, labels: Tensor, recipe: Recipe, step: int) -> Tensor:
    # Seeded by the step, so that a resumed run draws the same batches as an uninterrupted one.
    generator = Generator().manual_seed(recipe.seed * 1_000_003 + step)
    chosen = torch.randint(len(images), (recipe.batch_size,), generator=generator)
    logits = model(augment(images[chosen], generator))
    return F.cross_entropy(logits, labels[chosen], label_smoothing=recipe.label_smoothing)


def _accuracy(model: nn.Module, images: Tensor, labels: Tensor, recipe: Recipe) -> float:
    model.eval()
    generator = Generator().manual_seed(recipe.seed)
    correct = 0
    with torch.no_grad():
        for chosen in torch.arange(len(images)).split(recipe.batch_size):
            correct += int((model(augment(images[chosen], generator)).argmax(1) == labels[chosen]).sum())
    return correct / len(images)


def _rate(step: int, recipe: Recipe) -> float:
    warmup_steps = max(1, round(recipe.warmup * recipe.steps))
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    return 0.5 * (1 + math.cos(math.pi * (step - warmup_steps) / max(1, recipe.steps - warmup_steps)))


def _groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    # No weight decay on biases, norms and scales, as is usual for AdamW.
    matrices = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def _save_checkpoint(
    path: Path, recipe: Recipe, step: int, seconds: float, log: list[list[float]], *parts: Any
) -> None:
    state = {"recipe": recipe.json, "step": step, "seconds": seconds, "log": log}
    # Written aside and renamed, so that an interruption leaves the previous checkpoint whole.
    temporary = path.with_suffix(".draft")
    torch.save({**state, "parts": [part.state_dict() for part in parts]}, temporary)
    os.replace(temporary, path)


def _resume(path: Path, recipe: Recipe, *parts: Any) -> tuple[int, float, list[list[float]]]:
    if not path.exists():
        return 0, 0.0, []
    # weights_only: an ordinary torch.load would run code that the file's pickle names.
    state = torch.load(path, weights_only=True)
    if state["recipe"] != recipe.json:
        return 0, 0.0, []
    for part, stored in zip(parts, state["parts"], strict=True):
        part.load_state_dict(stored)
    return state["step"], state["seconds"], state["log"]
