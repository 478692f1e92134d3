"""Heads of contrastive learning: they make two views of each row and compare their projections."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from tlbench import PluginError
from tlbench.modeling.data import Batch
from tlbench.modeling.encoder import Encoder, Hidden
from tlbench.training.recipe.augmentation import PIXELS
from tlbench_pretrain.image_views import random_views
from tlbench_pretrain.pretraining import PretrainingHead

PROJECTED = 128
"""Width of the vectors that SimCLR compares."""


class PairsOfViews(PretrainingHead):
    """Base class of heads that compare two views of each row, with a projection that is discarded afterwards."""

    measure: ClassVar[str] = "contrastive_loss"

    def __init__(self, projection: nn.Module, temperature: float) -> None:
        super().__init__()
        self.projection = projection
        self.temperature = temperature

    @abstractmethod
    def views(self, batch: Batch) -> Batch:
        """Returns a batch of the first views of all rows, then the second ones."""

    @abstractmethod
    def compared(self, first: Tensor, second: Tensor) -> Tensor:
        """Returns the single losses of the projections (B, D) of the two views."""

    def forward(self, encoder: Encoder, hidden: Hidden) -> Tensor:
        """Returns the projections of the rows, (B, D) in fp32 at least."""
        features = encoder.pool(hidden)
        return self.projection(features.to(next(self.parameters()).dtype)).float()

    def losses(self, encoder: Encoder, batch: Batch, targets: Tensor) -> tuple[Tensor, ...]:
        """Returns the loss of each view."""
        # One pass for both views: the rows of a batch have dropout of their own.
        first, second = self(encoder, encoder(self.views(batch))).chunk(2)
        return (self.compared(first, second),)


class DropoutPairs(PairsOfViews):
    """SimCSE's objective: the views are two passes with different dropout. The projection is one layer with tanh."""

    in_train_mode: ClassVar[bool] = True

    def __init__(self, width: int, temperature: float) -> None:
        super().__init__(nn.Sequential(nn.Linear(width, width), nn.Tanh()), temperature)

    def views(self, batch: Batch) -> Batch:
        """Returns each row twice."""
        return {name: torch.cat([value, value]) for name, value in batch.items()}

    def compared(self, first: Tensor, second: Tensor) -> Tensor:
        """Returns InfoNCE, (B,).

        Raises:
            PluginError: The two passes are equal.
        """
        # The loss is measured before training, so this is compared, for which the host waits for a GPU, only then.
        if not torch.is_grad_enabled() and torch.equal(first, second):
            raise PluginError("simcse: two passes of a text differ by dropout alone, and this backbone applies none")
        return info_nce(first, second, self.temperature)


class ImagePairs(PairsOfViews):
    """SimCLR's objective: the views are random parts of an image. The projection has one hidden layer."""

    def __init__(self, width: int, temperature: float, *, flip: bool) -> None:
        super().__init__(
            nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, min(width, PROJECTED))), temperature
        )
        self.flip = flip

    def views(self, batch: Batch) -> Batch:
        """Returns two random views of each image.

        Raises:
            PluginError: The rows are no images.
        """
        images = batch.get(PIXELS)
        if not isinstance(images, Tensor):
            raise PluginError(f"simclr compares views of images, and these rows have no {PIXELS}")
        return {PIXELS: random_views(torch.cat([images, images]), flip=self.flip)}

    def compared(self, first: Tensor, second: Tensor) -> Tensor:
        """Returns NT-Xent, (2 B,)."""
        return nt_xent(first, second, self.temperature)


def info_nce(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """Returns, for each first view, the cross-entropy of its own second view among all second ones, (B,).

    Van den Oord et al. 2018, arXiv:1807.03748; with cosines, as in Gao et al. 2021, equation 1.
    """
    cosines = functional.normalize(first, dim=-1) @ functional.normalize(second, dim=-1).T
    own = torch.arange(len(first), device=first.device)
    return functional.cross_entropy(cosines / temperature, own, reduction="none")


def nt_xent(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """Returns, for each view, the cross-entropy of its other view among all views but itself, (2 B,).

    Chen et al. 2020, arXiv:2002.05709, equation 1.
    """
    views = functional.normalize(torch.cat([first, second]), dim=-1)
    cosines = (views @ views.T / temperature).masked_fill(
        torch.eye(len(views), dtype=torch.bool, device=views.device), float("-inf")
    )
    others = torch.arange(len(views), device=views.device).roll(len(first))
    return functional.cross_entropy(cosines, others, reduction="none")
