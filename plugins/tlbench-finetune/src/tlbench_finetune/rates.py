"""Search ranges and defaults of AdamW's learning rate, by modality, output and width."""

from __future__ import annotations

from dataclasses import dataclass

from tlbench import Backbone, Card, Float, SpaceContext, Text

SMALL_WIDTH = 512
"""Models up to this hidden width get a higher default learning rate than larger models."""
STATIC = "static"
"""The family of tables of word vectors."""
_ADAMW_FAMILIES = ("former", "vit", "swin", "deit", "beit", "dino", "eva", "clip", "mixer", "convnext")
"""Substrings of the names of image families that are pretrained with AdamW at small learning rates.

All other families count as convolutional networks with batch normalisation, which need higher rates.
"""


@dataclass(frozen=True)
class Rates:
    """Learning rates of AdamW for fits of a few hundred steps."""

    whole: Float
    """Range for training the whole pretrained model."""
    top: Float
    """Range for training only the top stages; it is higher, since frozen stages keep their pretrained weights."""
    default: float
    """Default learning rate for training the whole model, tried before the search samples others."""


def rates(about: SpaceContext) -> Rates:
    """Returns the learning rates for this kind of backbone and output."""
    backbone = about.backbone
    # A card may lack the width when the weights are not on this machine; the model then counts as large.
    card = backbone.card() if backbone else Card()
    if card.family == STATIC:
        # Each step moves only the vectors of its own words, so that a word moves a few times in a fit.
        return Rates(Float(1e-3, 3e-1, log=True), Float(3e-3, 1.0, log=True), 2e-2)
    small = card.width is not None and card.width <= SMALL_WIDTH
    if backbone is not None and backbone.modality == "image":
        if not has_batch_norm(backbone):
            return Rates(Float(1e-5, 1e-3, log=True), Float(5e-5, 5e-3, log=True), 3e-4 if small else 5e-5)
        return Rates(Float(1e-4, 1e-2, log=True), Float(3e-4, 3e-2, log=True), 2e-3 if small else 5e-4)
    if isinstance(about.task.output, Text):
        return Rates(Float(1e-5, 3e-3, log=True), Float(3e-5, 1e-2, log=True), 5e-4 if small else 1e-4)
    return Rates(Float(1e-5, 3e-4, log=True), Float(5e-5, 2e-3, log=True), 1e-4 if small else 3e-5)


def has_batch_norm(backbone: Backbone) -> bool:
    """Returns whether a backbone is a convolutional network with batch normalisation, as far as its family tells."""
    family = backbone.card().family.lower()
    return backbone.modality == "image" and not any(part in family for part in _ADAMW_FAMILIES)
