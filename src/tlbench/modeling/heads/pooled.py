"""Provides `PooledHead`: a linear layer on the readout, for classes, multi-label and regression tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from tlbench.contracts.errors import UsageError
from tlbench.contracts.exports.forms import DenseHead, FeatureModel
from tlbench.contracts.outputs import Classes, MultiLabel, Predictions, Scalar
from tlbench.modeling.data import Data
from tlbench.modeling.heads.head import Head, Outputs
from tlbench.modeling.precision import at_least_fp32, wide

if TYPE_CHECKING:
    from tlbench.modeling.encoder import Encoder, Hidden


class PooledHead(Head):
    """Dropout and a linear layer on the encoder's readout; predicts one class, several labels or a real number.

    Regression targets are standardised by the mean and standard deviation of the training targets, so that one learning
    rate suits tasks of any range.
    """

    def __init__(self, width: int, output: Classes | MultiLabel | Scalar, dropout: float = 0.1) -> None:
        super().__init__()
        self.output = output
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(width, 1 if isinstance(output, Scalar) else len(output.names))
        nn.init.normal_(self.linear.weight, std=0.02)
        nn.init.zeros_(self.linear.bias)
        self.mean: Tensor
        self.scale: Tensor
        # buffers, so that a saved predictor has them too
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("scale", torch.ones(()))
        # not a buffer, because class weights are needed in training only and are not saved with a predictor
        self._class_weights: Tensor | None = None
        self._label_smoothing = 0.0

    def prepare(self, data: Data) -> None:
        """Sets mean and scale from the training data if the output is a real number."""
        if isinstance(self.output, Scalar):
            self.fit_scale(self.targets(data))

    def weigh_classes(self, weights: Tensor) -> None:
        """Sets the weights (K,) of the classes in the loss.

        Raises:
            PluginError: The output is not one class.
        """
        if not isinstance(self.output, Classes):
            super().weigh_classes(weights)
        self._class_weights = weights

    def smooth_labels(self, factor: float) -> None:
        """Sets the label smoothing of the cross-entropy.

        Raises:
            PluginError: The output is not one class.
        """
        if not isinstance(self.output, Classes):
            super().smooth_labels(factor)
        self._label_smoothing = factor

    def fit_scale(self, targets: Tensor) -> None:
        """Sets mean and scale from the training targets (N,) if the output is a real number."""
        if isinstance(self.output, Scalar):
            self.mean.copy_(targets.mean())
            # constant targets would be divided by 0; the deviation of a single one is NaN
            self.scale.copy_(targets.std().clamp(min=1e-6) if len(targets) > 1 else torch.ones(()))

    def forward(self, encoder: Encoder, hidden: Hidden) -> Tensor:
        """Returns logits (B, K), or the standardised prediction (B, 1) of a real number."""
        logits: Tensor = self.linear(self.dropout(encoder.pool(hidden)))
        return logits

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Returns the mean loss: cross-entropy for classes and labels, squared error for standardised numbers.

        With class weights, the mean is weighted as in `torch.nn.CrossEntropyLoss(weight=...)`.

        Args:
            logits: (B, K).
            targets: Class indices (B,), labels (B, K) or real numbers (B,).
        """
        logits = at_least_fp32(logits)
        if isinstance(self.output, Classes):
            weights = None if self._class_weights is None else self._class_weights.to(logits)
            return nn.functional.cross_entropy(logits, targets, weights, label_smoothing=self._label_smoothing)
        if isinstance(self.output, MultiLabel):
            return nn.functional.binary_cross_entropy_with_logits(logits, targets)
        return nn.functional.mse_loss(logits.squeeze(-1), (targets - self.mean) / self.scale)

    def loss_terms(self, targets: Tensor) -> Tensor:
        """Returns the sum of the class weights of the targets, or the number of rows without class weights."""
        if self._class_weights is None or not isinstance(self.output, Classes):
            return super().loss_terms(targets)
        return self._class_weights.to(targets.device)[targets].sum()

    def outputs(self, logits: Tensor) -> Outputs:
        """Returns class indices (B,) or labels (B, K), both with probabilities, or real numbers (B,)."""
        logits = at_least_fp32(logits)
        if isinstance(self.output, Classes):
            return Outputs(logits.argmax(-1).cpu(), logits.softmax(-1).cpu())
        if isinstance(self.output, MultiLabel):
            return Outputs((logits > 0).long().cpu(), logits.sigmoid().cpu())
        return Outputs((logits.squeeze(-1) * self.scale + self.mean).cpu())

    def merge(self, outputs: list[Outputs], data: Data) -> Predictions:
        """Returns the outputs of the rows as predictions of the examples, which have one row each."""
        values = torch.cat([torch.as_tensor(o.values) for o in outputs]).numpy()
        scores = [o.scores for o in outputs]
        probabilities = None if scores[0] is None else torch.cat([s for s in scores if s is not None]).numpy()
        return Predictions(data.ids, values, probabilities)

    def exportable(self, encoder: Encoder) -> FeatureModel:
        """Returns the layers on the readout, with the scale of regression targets in the last one's weights.

        Raises:
            UsageError: A strategy has put other layers than linear ones and ReLU in place of the linear layer.
        """
        layer: nn.Module = self.linear  # some strategies put several layers in place of it
        parts = list(layer) if isinstance(layer, nn.Sequential) else [layer]
        if {type(part) for part in parts[::2]} != {nn.Linear} or {type(part) for part in parts[1::2]} - {nn.ReLU}:
            raise UsageError("the layers of this strategy's head have no form outside of tlbench")
        linear = [part for part in parts if isinstance(part, nn.Linear)]
        layers = [(part.weight.detach().double(), part.bias.detach().double()) for part in linear]
        # mean and scale are 0 and 1 unless the output is a number
        weight, bias = layers[-1]
        layers[-1] = weight * self.scale, bias * self.scale + self.mean
        activation = "relu" if len(layers) > 1 else None
        return FeatureModel(encoder, DenseHead(tuple((w.float(), b.float()) for w, b in layers), activation))

    def targets(self, data: Data) -> Tensor:
        """Returns class indices (N,) in int64; or labels (N, K) or numbers (N,) in fp32 (fp64 for an fp64 head)."""
        if isinstance(self.output, Classes):
            return torch.from_numpy(data.targets.astype(np.int64))
        return torch.from_numpy(data.targets.astype(np.float64)).to(wide(self.mean.dtype))
