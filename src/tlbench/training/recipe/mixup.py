"""Mixup: training on mixtures of two images and of their labels."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tlbench.training.recipe.augmentation import PIXELS

if TYPE_CHECKING:
    from tlbench.training.steps import Loss, Step


def mixup(loss: Loss, alpha: float) -> Loss:
    """Returns a loss of mixed images: lam * loss(labels) + (1 - lam) * loss(labels of the images mixed in).

    One lam ~ Beta(alpha, alpha) is drawn for each batch, and each image is mixed with another image of its batch (Zhang
    et al. 2018, arXiv:1710.09412).

    Args:
        loss: The loss of a step, which is called once with the labels of each of the two images.
        alpha: Both parameters of the Beta distribution; smaller ones mix less.
    """

    def mixed(step: Step) -> Tensor:
        images = step.batch[PIXELS]
        lam = float(torch.distributions.Beta(alpha, alpha).sample())
        order = torch.randperm(len(images)).to(images.device)
        batch = {**step.batch, PIXELS: lam * images + (1 - lam) * images[order]}
        first = replace(step, batch=batch)
        second = replace(step, batch=batch, targets=step.targets[order])
        return lam * loss(first) + (1 - lam) * loss(second)

    return mixed
