"""Computes the weights of classes for `class_weight=balanced`, from how often each occurs in the training data."""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
from torch import Tensor

ClassWeight: TypeAlias = Literal["balanced"]


def balanced_weights(targets: Tensor, classes: int) -> Tensor:
    """Returns a weight for each class, (classes,) in fp64: n / (K * n_k), as scikit-learn's `class_weight="balanced"`.

    Here n is the number of targets, K the number of classes that occur, and n_k the number of targets of class k, so
    that the weights of all targets sum to n and every class has the same total weight (King & Zeng 2001). A class that
    does not occur has a weight of 1.

    Args:
        targets: Class indices of any shape; negative ones (positions without a target) are ignored.
        classes: The number of classes.
    """
    counts = torch.bincount(targets[targets >= 0].flatten(), minlength=classes).double()
    weights = counts.sum() / ((counts > 0).sum() * counts)
    return torch.where(counts > 0, weights, 1.0)
