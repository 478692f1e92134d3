"""The params of a pre-training on fractals: everything that its weights depend on, and a digest of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

from tlbench import UsageError

RENDERER = 1
"""Increase this when the same recipe gives different images or a different training; it is part of the digest."""


@dataclass(frozen=True)
class Recipe:
    """The params of one pre-training: which fractals are rendered, and how a network is trained to classify them.

    Raises:
        UsageError: A number is not positive, or `held_out` leaves no instance for training.
    """

    architecture: str
    """Name of a timm model."""
    steps: int
    learning_rate: float
    batch_size: int = 64
    weight_decay: float = 0.05
    warmup: float = 0.1
    """Fraction of the steps over which the learning rate rises, before it falls along a cosine."""
    label_smoothing: float = 0.1
    classes: int = 96
    """Number of iterated function systems; each is one class."""
    instances: int = 36
    """Images rendered per class, each with its maps perturbed a little."""
    held_out: int = 4
    """Instances per class that are kept out of training and used to measure accuracy."""
    size: int = 64
    """Side length of an image in pixels."""
    points: int = 16_384
    """Points that the chaos game plots in an image."""
    disturbance: float = 0.1
    """Largest relative perturbation of a map's coefficients between instances."""
    coverage: tuple[float, float] = (0.12, 0.6)
    """Minimum and maximum fraction of non-empty pixels; systems outside this range are discarded and drawn again."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "classes", "size", "points"):
            if getattr(self, name) < 1:
                raise UsageError(f"{self.architecture}: {name} must be at least 1, not {getattr(self, name)}")
        if not 0 < self.held_out < self.instances:
            raise UsageError(f"{self.architecture}: held_out must lie between 0 and instances ({self.instances})")

    @property
    def digest(self) -> str:
        """Sixteen hex digits of a SHA-256, equal for recipes that give equal weights."""
        return hashlib.sha256(self.json.encode()).hexdigest()[:16]

    @property
    def json(self) -> str:
        """The recipe as one line of JSON with sorted keys; the digest is computed from this line."""
        return json.dumps({**asdict(self), "renderer": RENDERER}, sort_keys=True)


RECIPES = {
    "fractal-vit": Recipe("test_vit", steps=8000, learning_rate=3e-3),
    "fractal-resnet": Recipe("test_resnet", steps=300, learning_rate=3e-3),
}
"""Recipes by backbone name."""
