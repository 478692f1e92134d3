"""Learning rates: where a search looks and what the first trial takes, by what is adapted; what a recipe may be."""

from __future__ import annotations

from dataclasses import dataclass

from tlbench import About, Card, Float, Text, UsageError

SMALL_WIDTH = 512
"""Models up to this width want a higher learning rate than those of BERT's size."""
_ATTENTION = ("former", "vit", "swin", "deit", "beit", "dino", "eva", "clip", "mixer", "convnext")
"""Parts of the names of image families that are trained by AdamW at small rates from the start; those of the others,
convolutions between batch normalisations, stand and want higher ones."""


@dataclass(frozen=True)
class Rates:
    """Learning rates of AdamW over a few hundred steps."""

    whole: Float
    """For all of a pretrained model."""
    top: Float
    """For its top alone: higher, since the frozen stages keep what they know."""
    default: float
    """For all of a model of this width."""


def rates(about: About) -> Rates:
    """Returns the learning rates for this kind of backbone and output."""
    backbone = about.backbone
    card = backbone.card() if backbone else Card()
    small = card.width is not None and card.width <= SMALL_WIDTH
    if backbone is not None and backbone.modality == "image":
        if any(part in card.family.lower() for part in _ATTENTION):
            return Rates(Float(1e-5, 1e-3, log=True), Float(5e-5, 5e-3, log=True), 3e-4 if small else 5e-5)
        return Rates(Float(1e-4, 1e-2, log=True), Float(3e-4, 3e-2, log=True), 2e-3 if small else 5e-4)
    if isinstance(about.task.output, Text):
        return Rates(Float(1e-5, 3e-3, log=True), Float(3e-5, 1e-2, log=True), 5e-4 if small else 1e-4)
    return Rates(Float(1e-5, 3e-4, log=True), Float(5e-5, 2e-3, log=True), 1e-4 if small else 3e-5)


def check_recipe(name: str, train_batch_size: int, warmup: float) -> None:
    """Checks what a strategy's name says of how it trains.

    Raises:
        UsageError: No row in a batch, or a warm-up that is no share of the steps.
    """
    if train_batch_size < 1:
        raise UsageError(f"{name}[train_batch_size={train_batch_size}]: there is at least 1 row in a batch")
    if not 0 <= warmup <= 1:
        raise UsageError(f"{name}[warmup={warmup}]: the learning rate rises over a share of the steps, 0 to 1")
