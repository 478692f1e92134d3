"""Provides `TokenHead`: a linear layer on every position, which predicts a class for each word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from tlbench.contracts.exports.forms import DenseHead, FeatureModel
from tlbench.contracts.outputs import Predictions, TokenClasses
from tlbench.modeling.data import Data
from tlbench.modeling.heads.head import Head, Outputs, required_alignment
from tlbench.modeling.precision import at_least_fp32

if TYPE_CHECKING:
    from tlbench.modeling.encoder import Encoder, Hidden

IGNORED = -100
"""The target of positions where no word begins; torch's cross-entropy ignores it by default."""


class TokenHead(Head):
    """Predicts the class of each word at its first sub-word (Devlin et al. 2019, section 5.3, arXiv:1810.04805).

    `Data.alignment` gives the word that begins at each position. If an example has several windows, each word is
    predicted in only one of them, the one with most of the word's context. A word without a position (one that the
    tokeniser drops) gets "O".
    """

    def __init__(self, width: int, output: TokenClasses, dropout: float = 0.1) -> None:
        super().__init__()
        self.output = output
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(width, len(output.names))
        nn.init.normal_(self.linear.weight, std=0.02)
        nn.init.zeros_(self.linear.bias)
        # not a buffer, because class weights are needed in training only and are not saved with a predictor
        self._class_weights: Tensor | None = None
        self._label_smoothing = 0.0

    def weigh_classes(self, weights: Tensor) -> None:
        """Sets the weights (K,) of the classes in the loss."""
        self._class_weights = weights

    def smooth_labels(self, factor: float) -> None:
        """Sets the label smoothing of the cross-entropy."""
        self._label_smoothing = factor

    def forward(self, encoder: Encoder, hidden: Hidden) -> Tensor:
        """Returns logits of every position, (B, T, K)."""
        logits: Tensor = self.linear(self.dropout(hidden.x))
        return logits

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Returns the mean cross-entropy over the words of the batch, weighted if there are class weights.

        Args:
            logits: (B, T, K).
            targets: (B, longest row of the data) int64, `IGNORED` where no word begins.
        """
        wanted = targets[:, : logits.shape[1]].flatten()
        flat = at_least_fp32(logits).flatten(0, 1)
        weights = None if self._class_weights is None else self._class_weights.to(flat)
        total = nn.functional.cross_entropy(
            flat, wanted, weights, ignore_index=IGNORED, reduction="sum", label_smoothing=self._label_smoothing
        )
        # not reduction="mean", which is 0/0 for a batch of windows in which no word begins
        if weights is None:
            return total / (wanted != IGNORED).sum().clamp(min=1)
        words = weights[wanted[wanted != IGNORED]]
        return total / words.sum() if len(words) else total

    def loss_terms(self, targets: Tensor) -> Tensor:
        """Returns the number of words of the rows, or the sum of their class weights."""
        words = targets[targets != IGNORED]
        if self._class_weights is None:
            return words.new_tensor(len(words))
        return self._class_weights.to(words.device)[words].sum()

    def outputs(self, logits: Tensor) -> Outputs:
        """Returns the class of every position, (T,) per row, as floats: NaN if a logit is not finite."""
        logits = at_least_fp32(logits)
        # argmax returns a valid index even for NaN logits, which would hide that a fit diverged: return NaN instead
        finite = torch.isfinite(logits).all(-1)
        classes = torch.where(finite, logits.argmax(-1).float(), torch.nan)
        return Outputs(list(classes.cpu().numpy()))

    def merge(self, outputs: list[Outputs], data: Data) -> Predictions:
        """Returns a tuple of class indices for each example, one per word."""
        other = self.output.names.index("O") if "O" in self.output.names else 0
        predictions = [[other] * len(example.inputs[0]) for example in data.examples]
        rows = (row for part in outputs for row in part.values)
        for owner, words, classes in zip(data.owners.tolist(), required_alignment(data), rows, strict=True):
            # a row of outputs may be longer than its alignment: it is padded to the longest row of its batch
            places = np.flatnonzero(words >= 0)
            for word, predicted in zip(words[places].tolist(), classes[places].tolist(), strict=True):
                predictions[owner][word] = int(predicted)
        # filled one by one: numpy would turn tuples of equal length into a table
        values = np.empty(len(predictions), dtype=object)
        for i, prediction in enumerate(predictions):
            values[i] = tuple(prediction)
        return Predictions(data.ids, values)

    def exportable(self, encoder: Encoder) -> FeatureModel:
        """Returns the linear layer on every position."""
        layer = self.linear.weight.detach().float(), self.linear.bias.detach().float()
        return FeatureModel(encoder, DenseHead((layer,)))

    def targets(self, data: Data) -> Tensor:
        """Returns the target of each position, (rows, longest row) int64.

        It is the class of the word that begins at the position, or `IGNORED` if no word begins there.

        Raises:
            ValueError: The examples are unlabelled, or an example does not have one class for each word.
        """
        alignment = required_alignment(data)
        targets = torch.full((len(data), max((len(words) for words in alignment), default=0)), IGNORED)
        classes = [_classes(example.id, example.inputs[0], example.target) for example in data.examples]
        for row, (owner, words) in enumerate(zip(data.owners.tolist(), alignment, strict=True)):
            places = np.flatnonzero(words >= 0)
            targets[row, places] = torch.from_numpy(classes[owner][words[places]])
        return targets


def _classes(name: str, words: Sequence[str], target: Sequence[int] | None) -> np.ndarray:
    if target is None:
        raise ValueError("these examples are unlabelled")
    if len(target) != len(words):
        raise ValueError(f"{name} has {len(words)} words and {len(target)} classes: give one class per word")
    return np.asarray(target, dtype=np.int64)
