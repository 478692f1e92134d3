"""The objective of a fit: its loss, with the weights and settings that it needs beside the model. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from tlbench.training.parameters import Group
    from tlbench.training.steps import Loss


@dataclass(frozen=True, eq=False)
class Objective:
    """The loss of a fit; by default the task's own."""

    loss: Loss | None = None
    """Returns the loss of a step; None for the loss of the head."""
    modules: Sequence[nn.Module] = ()
    """Modules beside the model that are trained with it, at its learning rate, and discarded after the fit."""
    groups: Sequence[Group] = ()
    """Parameter groups of other modules that are trained with it, with rates of their own."""
    dropout: float | None = None
    """The probability of all dropout while training, unless an option of the strategy sets one; None for no change."""
    own_share: float = 1.0
    """The share of the steps that are on the task's own rows, which a protocol's epochs are passes over."""
