"""The estimated seconds of a fit, from the card of its backbone and the size of the data.

The estimate is the number of multiplications over a rate, and some fixed seconds: right within a factor of two or three
on a machine that it does not know. What was measured corrects it (`corrected_costs.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

from tlbench.contracts.backbone import Card
from tlbench.contracts.resources import stage_count
from tlbench.finding.candidates.all_candidates import Entry
from tlbench.finding.costs.data_shape import DataShape

RATE = 35e9
"""Multiplications and additions a second on one core in fp32."""
GPU_RATE = 5e12
START_SECONDS = 1.0
"""Starting a worker, loading weights and reading the data."""
ROW_SECONDS = 3e-4
"""Reading, tokenising and scoring an example."""
BASELINE_ROW_SECONDS = 5e-4
"""Fitting a baseline such as a linear model of n-grams, an example."""
STEP_SECONDS = 2e-3
"""What a step takes for each stage, however few its rows are."""
POSITIONS = 120
"""Positions of an image at which each parameter of a network is used, where its card has no number: 85 for
EfficientNet-Lite0, 150 for a ResNet-20 of CIFAR, 197 for a ViT at 224 pixels."""
BATCH = 16
BACKWARD, BACKWARD_FROZEN = 2.0, 1.0
"""The cost of a backward pass in forward passes, and of one through weights that are not trained."""
EPOCHS = 3.0
"""Passes over the data of a fit whose protocol sets no number of steps."""


@dataclass(frozen=True)
class Speed:
    """How fast a worker multiplies."""

    cores: int = 1
    is_gpu: bool = False

    @property
    def rate(self) -> float:
        """Multiplications and additions a second."""
        return GPU_RATE if self.is_gpu else RATE * self.cores**0.8


def forward_seconds(card: Card, shape: DataShape, speed: Speed) -> float:
    """Returns the seconds that one example takes through a whole backbone."""
    positions = shape.tokens if shape.tokens is not None else float(card.positions or POSITIONS)
    if card.positions is not None:
        positions = min(positions, float(card.positions))
    return 2 * _multiplied(card, shape) * positions / speed.rate


def step_seconds(entry: Entry, shape: DataShape, speed: Speed) -> float:
    """Returns the seconds of one step of training; 0 for a candidate without steps."""
    if entry.backbone is None or entry.candidate.role != "adaptation":
        return 0.0
    rows = getattr(entry.strategy, "train_batch_size", BATCH)
    stages, share, passes, _ = _trained(entry)
    return float(rows * forward_seconds(entry.card, shape, speed) * share * passes + STEP_SECONDS * (stages + 2))


def fit_seconds(entry: Entry, shape: DataShape, speed: Speed, steps: int | None, part: int | None = None) -> float:
    """Returns the seconds of a fit from its order to its result, as if nothing were cached."""
    rows = shape.train_rows + shape.validation_rows
    read = START_SECONDS + ROW_SECONDS * rows
    if entry.backbone is None:
        return read + BASELINE_ROW_SECONDS * rows
    one = forward_seconds(entry.card, shape, speed)
    if entry.candidate.role != "adaptation":
        return read + rows * (one + ROW_SECONDS)
    _, share, _, is_cached = _trained(entry)
    # The frozen stages below are passed once; the validation split goes through all of them, at the end.
    encoding = shape.train_rows * one * (1 - share) if is_cached else 0.0
    count = steps or whole_steps(entry, shape)
    return read + encoding + count / (part or 1) * step_seconds(entry, shape, speed) + shape.validation_rows * one


def scoring_seconds(entry: Entry, shape: DataShape, speed: Speed) -> float:
    """Returns the seconds that predicting the test split takes."""
    one = BASELINE_ROW_SECONDS if entry.backbone is None else forward_seconds(entry.card, shape, speed)
    return shape.scored_rows * (one + ROW_SECONDS)


def whole_steps(entry: Entry, shape: DataShape) -> int:
    """Returns the number of steps of a fit whose protocol sets none."""
    rows = getattr(entry.strategy, "train_batch_size", BATCH)
    return max(1, round(EPOCHS * -(-shape.train_rows // rows)))


def _trained(entry: Entry) -> tuple[int, float, float, bool]:
    """Returns the stages of a step, their share, its passes (a forward pass is 1), and whether the rest is cached."""
    assert entry.backbone is not None
    trainable, total = entry.trainable, stage_count(entry.card)
    stages = trainable.stages_of(entry.card)
    # New weights in some of the stages, such as a LoRA, leave the weights of these stages frozen.
    backward = BACKWARD if trainable.parameters is None else BACKWARD_FROZEN
    is_cached = stages < total
    return stages, (stages / total if is_cached else 1.0), 1 + backward, is_cached


def _multiplied(card: Card, shape: DataShape) -> float:
    """Returns the parameters that each position is multiplied with: without a text model's embeddings."""
    parameters = float(card.parameters or 1_000_000)
    if shape.tokens is not None and card.width and card.stages is not None:
        return min(parameters, 12.0 * card.width**2 * card.stages)
    return parameters
