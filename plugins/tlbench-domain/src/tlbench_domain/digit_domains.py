"""Digits in two domains: learnt from scikit-learn's images as they are, tested on others that look otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from tlbench_data.images.image_tasks import Digits

from tlbench import Examples, SplitName

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class DigitDomains(Digits):
    """Base class of digits whose unlabelled and test images are changed; no image is in two splits.

    Half of the images are the source, divided 80/20 into train and validation, and half the target, divided in half
    into unlabeled and test.
    """

    shares: ClassVar[Mapping[str, float]] = MappingProxyType(
        {"train": 0.4, "validation": 0.1, "unlabeled": 0.25, "test": 0.25}
    )
    sizes: ClassVar[Mapping[str, int]] = MappingProxyType({})
    unlabeled_like = "test"

    def split(self, name: SplitName) -> Examples | None:
        """Returns the examples of a drawn split, those of `unlabeled` without their classes."""
        examples = super().split(name)
        return examples.without_targets() if examples is not None and name == "unlabeled" else examples

    def altered(self, pixels: np.ndarray, split: SplitName) -> np.ndarray:
        """Returns the pixels (N, 8, 8) of all images in uint8 as the split's domain has them."""
        return self.shifted(pixels) if split in ("unlabeled", "test") else pixels

    def shifted(self, pixels: np.ndarray) -> np.ndarray:
        """Returns the pixels of all images in the target domain."""
        raise NotImplementedError


@dataclass(frozen=True)
class InvertedDigits(DigitDomains):
    """Digits learnt in white on black and tested in black on white (Alpaydin and Kaynak 1998)."""

    name = "digits-inverted"
    description = "Digits of 8x8 pixels: source white on black, target (unlabeled, test) black on white; see digits"

    def shifted(self, pixels: np.ndarray) -> np.ndarray:
        """Returns the negatives."""
        inverted: np.ndarray = 255 - pixels
        return inverted


@dataclass(frozen=True)
class NoisyDigits(DigitDomains):
    """Handwritten digits with normal noise added to the target domain only (Alpaydin and Kaynak 1998)."""

    name = "digits-noisy"
    description = "Digits of 8x8 pixels: source as they are, target (unlabeled, test) under normal noise; see digits"

    def shifted(self, pixels: np.ndarray) -> np.ndarray:
        """Returns the images with normal noise whose standard deviation is a quarter of the range."""
        import numpy as np

        # The seed is fixed, since the images are part of the task's definition.
        noise = np.random.default_rng(0).normal(0, 64, pixels.shape)
        return np.clip(pixels + noise, 0, 255).round().astype(np.uint8)
