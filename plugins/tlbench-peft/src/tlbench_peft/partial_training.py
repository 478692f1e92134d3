"""Base class of strategies that train few weights inside a frozen backbone, and a new head. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tlbench import (
    Backbone,
    Card,
    Float,
    Job,
    PluginError,
    Space,
    SpaceContext,
    Task,
    Text,
    Trainable,
    Value,
)
from tlbench.training import GradientStrategy

if TYPE_CHECKING:
    from tlbench.modeling.encoder import Encoder
    from tlbench.training import Model, Trains

ENCODER_DECODERS = frozenset({"bart", "marian", "mbart", "mt5", "pegasus", "t5", "umt5"})
"""Families whose answers are written by a decoder of its own, which these strategies leave as it is."""
_IMAGE_TRANSFORMERS = ("former", "vit", "swin", "deit", "beit", "dino", "eva", "clip")
"""Substrings of the names of image families that have attention; others count as convolutional networks."""
_LINEAR = ("convnext", "mixer")
"""Substrings of the names of image families that have no attention, but linear layers in their blocks."""


@dataclass(frozen=True)
class ParameterEfficient(GradientStrategy):
    """Base class of strategies that train a small part of the weights, or weights that they add, at a high rate."""

    family: ClassVar[str] = "new weights"

    rates: ClassVar[tuple[float, float, float]] = (1e-4, 3e-3, 1e-3)
    """The lowest, the highest and the default learning rate."""
    stages: int | None = None
    """Number of top stages that are adapted; None for all. The output of the stages below is cached."""

    def space(self, about: SpaceContext) -> Space:
        """Returns the range of the learning rate, which is higher than for weights that were pretrained."""
        return {"lr": Float(*self.rates[:2], log=True)}

    def defaults(self, about: SpaceContext) -> dict[str, Value]:
        """Returns the default learning rate."""
        return {"lr": self.rates[2]}

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns the reason why a backbone or its number of stages is not supported, or None."""
        if self.stages is not None and self.stages < 1:
            return "stages must be at least 1"
        card = backbone.card() if backbone else Card()
        if card.stages == 0:
            return f"{self.name} adapts the stages above the embeddings, and the backbone has none"
        if card.stages is not None and (self.stages or 0) > card.stages:
            return (
                f"stages={self.stages}, but the backbone has {card.stages} above its embeddings or stem: choose fewer"
            )
        if isinstance(task.output, Text) and card.family in ENCODER_DECODERS:
            return f"{self.name} adapts encoders, but a decoder of {card.family} writes the answers: try a Llama"
        return super().supports(backbone, task)

    @property
    def trains(self) -> Trains:
        """What is trained: few or new weights, and the head."""
        return "few weights"

    def trainable(self, backbone: Backbone) -> Trainable:
        """Returns the number of trained weights, computed from the backbone's width and number of stages."""
        card = backbone.card()
        if card.stages is None or card.width is None:
            return Trainable(self.stages, 0)
        stages = card.stages if self.stages is None else min(self.stages, card.stages)
        return Trainable(stages, round(stages * self.size(card.width)))

    def size(self, width: int) -> float:
        """Returns the number of trained weights in a transformer block of this width, at the largest setting."""
        raise NotImplementedError

    def model(self, job: Job) -> Model:
        """Returns the model with a frozen encoder, adapted from the first of the chosen stages on.

        Raises:
            PluginError: The encoder has too few stages, or none of its parts can be adapted.
        """
        count = len(job.encoder.stages)
        first = 1 if self.stages is None else count - self.stages
        # Checked again: `supports` reads the card, which may not know the number of stages.
        if not 1 <= first < count:
            raise PluginError(
                f"{self.name}: stages={self.stages}, but the encoder has {count - 1} above its embeddings"
            )
        job.encoder.native.requires_grad_(False)
        if isinstance(job.task.output, Text):
            # The output layer of a decoder is pretrained, and frozen like the rest of it.
            job.head.requires_grad_(False)
        return self.adapted(job, first, start=0 if self.stages is None else first)

    def adapted(self, job: Job, first: int, start: int) -> Model:
        """Returns the model whose frozen encoder is adapted in the stages from `first` on.

        Args:
            job: The job.
            first: The lowest stage to adapt.
            start: The number of stages whose output is cached.
        """
        from tlbench.training import Model

        self.adapt(job.encoder, first)
        return Model(job.encoder, job.head, start)

    def adapt(self, encoder: Encoder, first: int) -> None:
        """Adds weights to the encoder's stages from `first` on, or lets some of them be trained.

        Raises:
            PluginError: Nothing in these stages can be adapted.
        """
        raise NotImplementedError


def has_attention(backbone: Backbone | None) -> bool:
    """Returns whether a backbone has attention layers, as far as its modality and family tell."""
    return _is_among(backbone, _IMAGE_TRANSFORMERS)


def has_linear_layers(backbone: Backbone | None) -> bool:
    """Returns whether a backbone has linear layers in its blocks, as far as its modality and family tell."""
    return _is_among(backbone, (*_IMAGE_TRANSFORMERS, *_LINEAR))


def _is_among(backbone: Backbone | None, parts: Sequence[str]) -> bool:
    """Returns whether a backbone reads texts, is unknown, or is of one of these image families."""
    if backbone is None or backbone.modality != "image":
        return True
    family = backbone.card().family.lower()
    return not family or any(part in family for part in parts)
