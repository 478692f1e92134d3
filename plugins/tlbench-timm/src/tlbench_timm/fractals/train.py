"""Trains a network to tell fractals apart, and writes what it learned with how it was learned.

A checkpoint is kept beside the weights: the same command goes on where it was stopped, and ends with the same weights.
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
from tlbench_timm.fractals.render import fractals, look

CLASSIFIER = ("head.", "fc.")
"""What tells fractals apart is of no use for anything else, and is not written."""
_EVERY = 20
"""Steps between lines of the log, and between checkpoints."""


def create(architecture: str, size: int, classes: int) -> nn.Module:
    """Returns a model of timm with random weights; without a classifier if there are no classes.

    A transformer is read out by the mean over its patches, which learns faster than a class token in so few steps
    (Beyer et al. 2022, arXiv:2205.01580).
    """
    options: dict[str, Any] = {"img_size": size, "global_pool": "avg"} if "vit" in architecture else {}
    model: nn.Module = timm.create_model(architecture, num_classes=classes, **options)
    return model


def pretrain(recipe: Recipe, path: Path, say: Callable[[str], None] = print) -> None:
    """Trains by the recipe and writes the encoder's weights, with the recipe and the log in their metadata.

    Args:
        recipe: What to render and how long to train.
        path: The safetensors file to write; the checkpoint lies beside it until that is done.
        say: Takes lines of the log.

    Raises:
        Diverged: The loss is not finite.
    """
    images, labels = fractals(recipe)
    say(f"{len(images)} images of {recipe.classes} systems")
    held_out = torch.arange(len(labels)) % recipe.instances < recipe.held_out
    shown, shown_labels = images[~held_out], labels[~held_out]
    torch.manual_seed(recipe.seed)
    model = create(recipe.architecture, recipe.size, recipe.classes)
    optimizer = torch.optim.AdamW(_groups(model, recipe.weight_decay), lr=recipe.learning_rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, recipe))
    checkpoint = path.with_suffix(".checkpoint")
    first, seconds, log = _resume(checkpoint, recipe, model, optimizer, schedule)
    model.train()
    begun, losses = time.process_time() - seconds, []
    for step in range(first, recipe.steps):
        loss = _loss(model, shown, shown_labels, recipe, step)
        losses.append(loss.item())
        if not math.isfinite(losses[-1]):
            raise Diverged(f"the loss is {losses[-1]} at step {step}")
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        done = step + 1
        if done % _EVERY == 0 or done == recipe.steps:
            log.append([done, round(sum(losses) / len(losses), 4)])
            losses = []
            say(f"step {done} of {recipe.steps}: loss {log[-1][1]}, {time.process_time() - begun:.0f} CPU seconds")
            _keep(checkpoint, recipe, done, time.process_time() - begun, log, model, optimizer, schedule)
    accuracy = _accuracy(model, images[held_out], labels[held_out], recipe)
    say(f"{accuracy:.3f} of the held-out instances are told apart")
    metadata = {
        "format": "pt",
        "recipe": recipe.json,
        "recipe_digest": recipe.digest,
        "held_out_accuracy": f"{accuracy:.4f}",
        "cpu_seconds": f"{time.process_time() - begun:.0f}",
        "log": json.dumps(log),
        "torch": torch.__version__,
        "timm": timm.__version__,
        "licence": "Apache-2.0",
    }
    weights = {k: v.contiguous() for k, v in model.state_dict().items() if not k.startswith(CLASSIFIER)}
    save_file(weights, path, metadata=metadata)
    checkpoint.unlink()


def _loss(model: nn.Module, images: Tensor, labels: Tensor, recipe: Recipe, step: int) -> Tensor:
    # Drawn anew from the step's number, so that a resumed training sees what an undisturbed one would have seen.
    generator = Generator().manual_seed(recipe.seed * 1_000_003 + step)
    chosen = torch.randint(len(images), (recipe.batch_size,), generator=generator)
    logits = model(look(images[chosen], generator))
    return F.cross_entropy(logits, labels[chosen], label_smoothing=recipe.label_smoothing)


def _accuracy(model: nn.Module, images: Tensor, labels: Tensor, recipe: Recipe) -> float:
    model.eval()
    generator = Generator().manual_seed(recipe.seed)
    right = 0
    with torch.no_grad():
        for chosen in torch.arange(len(images)).split(recipe.batch_size):
            right += int((model(look(images[chosen], generator)).argmax(1) == labels[chosen]).sum())
    return right / len(images)


def _rate(step: int, recipe: Recipe) -> float:
    rising = max(1, round(recipe.warmup * recipe.steps))
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, recipe.steps - rising)))


def _groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    matrices = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def _keep(path: Path, recipe: Recipe, step: int, seconds: float, log: list[list[float]], *parts: Any) -> None:
    state = {"recipe": recipe.json, "step": step, "seconds": seconds, "log": log}
    draft = path.with_suffix(".draft")
    torch.save({**state, "parts": [part.state_dict() for part in parts]}, draft)
    os.replace(draft, path)


def _resume(path: Path, recipe: Recipe, *parts: Any) -> tuple[int, float, list[list[float]]]:
    if not path.exists():
        return 0, 0.0, []
    state = torch.load(path, weights_only=True)
    if state["recipe"] != recipe.json:
        return 0, 0.0, []
    for part, kept in zip(parts, state["parts"], strict=True):
        part.load_state_dict(kept)
    return state["step"], state["seconds"], state["log"]
