"""Heads: what turns an encoder's output into a task's answer, with its loss and its decoding."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from tlbench.contracts.errors import PluginError
from tlbench.contracts.outputs import Classes, Output, Predictions, Scalar
from tlbench.modeling.data import Batch, Data

if TYPE_CHECKING:
    from tlbench.modeling.encoder import Encoder, Hidden


@dataclass(frozen=True)
class Outputs:
    """What a head decodes from one batch, on the CPU."""

    values: Tensor
    """(B,) class indices or real numbers."""
    scores: Tensor | None = None
    """(B, K) probabilities."""


class Head(nn.Module):
    """Maps an encoder's output to a task's answer. Its parameters are the stage above the encoder's last."""

    @abstractmethod
    def forward(self, encoder: Encoder, hidden: Hidden) -> Tensor:
        """Returns logits (B, K), or whatever `loss` and `decode` read."""

    @abstractmethod
    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Returns the mean loss over the batch, a scalar in fp32."""

    @abstractmethod
    def outputs(self, logits: Tensor) -> Outputs:
        """Returns the answers for a batch of logits."""

    def decode(self, encoder: Encoder, batch: Batch | Hidden, start: int = 0) -> Outputs:
        """Returns the answers for a batch; a generating head goes through `encoder.native` instead."""
        return self.outputs(self(encoder, encoder(batch, start=start)))

    @abstractmethod
    def merge(self, outputs: list[Outputs], data: Data) -> Predictions:
        """Returns one answer per example from the answers per row, in the order of the rows."""

    @abstractmethod
    def targets(self, data: Data) -> Tensor:
        """Returns the targets of the rows as `loss` wants them."""


class PooledHead(Head):
    """A linear layer on the encoder's readout: classes by cross-entropy, or a real number by squared error.

    A real number is learnt in units of the training targets (their mean and standard deviation, set by
    `fit_scale`), so that one learning rate serves tasks of any range.
    """

    def __init__(self, width: int, output: Classes | Scalar, dropout: float = 0.1) -> None:
        super().__init__()
        self.output = output
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(width, len(output.names) if isinstance(output, Classes) else 1)
        nn.init.normal_(self.linear.weight, std=0.02)
        nn.init.zeros_(self.linear.bias)
        self.mean: Tensor
        self.scale: Tensor
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("scale", torch.ones(()))

    def fit_scale(self, targets: Tensor) -> None:
        """Sets mean and scale of a real-numbered output from the training targets (N,)."""
        if isinstance(self.output, Scalar):
            self.mean.copy_(targets.mean())
            self.scale.copy_(targets.std().clamp(min=1e-6) if len(targets) > 1 else torch.ones(()))

    def forward(self, encoder: Encoder, hidden: Hidden) -> Tensor:
        """Returns logits (B, K); K = 1 for a real number, in units of the training targets."""
        logits: Tensor = self.linear(self.dropout(encoder.pool(hidden)))
        return logits

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Returns cross-entropy against indices (B,), or squared error against numbers (B,)."""
        if isinstance(self.output, Classes):
            return nn.functional.cross_entropy(logits.float(), targets)
        return nn.functional.mse_loss(logits.float().squeeze(-1), (targets - self.mean) / self.scale)

    def outputs(self, logits: Tensor) -> Outputs:
        """Returns class indices with probabilities, or real numbers."""
        logits = logits.float()
        if isinstance(self.output, Classes):
            return Outputs(logits.argmax(-1).cpu(), logits.softmax(-1).cpu())
        return Outputs((logits.squeeze(-1) * self.scale + self.mean).cpu())

    def merge(self, outputs: list[Outputs], data: Data) -> Predictions:
        """Returns the rows' answers as the examples' answers: one row each."""
        values = torch.cat([o.values for o in outputs]).numpy()
        scores = [o.scores for o in outputs]
        probabilities = None if scores[0] is None else torch.cat([s for s in scores if s is not None]).numpy()
        return Predictions(data.ids, values, probabilities)

    def targets(self, data: Data) -> Tensor:
        """Returns indices (N,) int64 or numbers (N,) float32."""
        dtype = np.int64 if isinstance(self.output, Classes) else np.float32
        return torch.from_numpy(data.targets.astype(dtype))


def default_head(output: Output, encoder: Encoder) -> Head:
    """Returns a new head for the output on top of the encoder's readout.

    Raises:
        PluginError: There is no head for this kind of output yet.
    """
    if isinstance(output, Classes | Scalar):
        return PooledHead(encoder.width, output)
    raise PluginError(f"no head for the output {type(output).__name__}")
