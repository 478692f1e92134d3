"""What fixes a pre-training on fractals: every number that its weights depend on, and a digest of them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

from tlbench import UsageError

RENDERER = 1
"""Raised when the same recipe would render other images or train otherwise."""


@dataclass(frozen=True)
class Recipe:
    """One pre-training: which fractals are drawn, and how one network is trained to tell them apart.

    Raises:
        UsageError: A number that is not positive.
    """

    architecture: str
    """A model of timm, made without its classifier."""
    steps: int
    learning_rate: float
    batch_size: int = 64
    weight_decay: float = 0.05
    warmup: float = 0.1
    """The share of steps over which the learning rate rises; it falls along a cosine afterwards."""
    label_smoothing: float = 0.1
    classes: int = 96
    """How many iterated function systems; each is a class."""
    instances: int = 36
    """How many images of each system are rendered, its maps disturbed a little each time."""
    held_out: int = 4
    """How many of them are kept from training, to see whether the systems are told apart."""
    size: int = 64
    """Pixels on a side."""
    points: int = 16_384
    """Points that the chaos game sets down in an image."""
    disturbance: float = 0.1
    """The largest relative change of a number of a map from one instance to the next."""
    coverage: tuple[float, float] = (0.12, 0.6)
    """Systems whose image leaves this share of the pixels empty or full are drawn again."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "classes", "size", "points"):
            if getattr(self, name) < 1:
                raise UsageError(f"{self.architecture}: {name} must be at least 1, not {getattr(self, name)}")
        if not 0 < self.held_out < self.instances:
            raise UsageError(f"{self.architecture}: held_out must lie between 0 and instances ({self.instances})")

    @property
    def digest(self) -> str:
        """Sixteen hex digits, equal for recipes that give equal weights."""
        return hashlib.sha256(self.json.encode()).hexdigest()[:16]

    @property
    def json(self) -> str:
        """The recipe as one line, keys in order; what the digest is taken of."""
        return json.dumps({**asdict(self), "renderer": RENDERER}, sort_keys=True)


RECIPES = {
    "fractal-vit": Recipe("test_vit", steps=8000, learning_rate=3e-3),
    "fractal-resnet": Recipe("test_resnet", steps=300, learning_rate=3e-3),
}
"""By the name of the backbone."""
