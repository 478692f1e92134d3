"""A class for each word: a linear layer on every position, read at each word's first sub-word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from tlbench.contracts.outputs import Predictions, TokenClasses
from tlbench.modeling.data import Data
from tlbench.modeling.heads.head import Head, Outputs, aligned
from tlbench.modeling.precision import at_least_fp32

if TYPE_CHECKING:
    from tlbench.modeling.encoder import Encoder, Hidden

IGNORED = -100
"""The target of positions that no word begins at; what torch's cross-entropy leaves out by default."""


class TokenHead(Head):
    """A linear layer on every position: the class of the word that begins there (Devlin et al. 2019, section 5.3).

    `Data.alignment` says where each word begins: once in all rows of its example, in the window that shows most of
    what stands around it. A word that has no position at all is taken for "O".
    """

    def __init__(self, width: int, output: TokenClasses, dropout: float = 0.1) -> None:
        super().__init__()
        self.output = output
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(width, len(output.names))
        nn.init.normal_(self.linear.weight, std=0.02)
        nn.init.zeros_(self.linear.bias)

    def forward(self, encoder: Encoder, hidden: Hidden) -> Tensor:
        """Returns logits (B, T, K)."""
        logits: Tensor = self.linear(self.dropout(hidden.x))
        return logits

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Returns the mean cross-entropy over the words of the batch; `targets` are (B, longest of the data)."""
        wanted = targets[:, : logits.shape[1]].flatten()
        flat = at_least_fp32(logits).flatten(0, 1)
        total = nn.functional.cross_entropy(flat, wanted, ignore_index=IGNORED, reduction="sum")
        # a batch of windows that no word falls to would be 0/0
        return total / (wanted != IGNORED).sum().clamp(min=1)

    def outputs(self, logits: Tensor) -> Outputs:
        """Returns the class of every position of each row, (T,) of real numbers: NaN where a logit is not finite."""
        logits = at_least_fp32(logits)
        finite = torch.isfinite(logits).all(-1)
        classes = torch.where(finite, logits.argmax(-1).float(), torch.nan)
        return Outputs(list(classes.cpu().numpy()))

    def merge(self, outputs: list[Outputs], data: Data) -> Predictions:
        """Returns a tuple of class indices for each example, one for each of its words."""
        other = self.output.names.index("O") if "O" in self.output.names else 0
        answers = [[other] * len(example.inputs[0]) for example in data.examples]
        rows = (row for part in outputs for row in part.values)
        for owner, words, classes in zip(data.owners.tolist(), aligned(data), rows, strict=True):
            places = np.flatnonzero(words >= 0)
            for word, found in zip(words[places].tolist(), classes[places].tolist(), strict=True):
                answers[owner][word] = int(found)
        values = np.empty(len(answers), dtype=object)
        for i, answer in enumerate(answers):
            values[i] = tuple(answer)
        return Predictions(data.ids, values)

    def targets(self, data: Data) -> Tensor:
        """Returns (rows, longest row) int64: the word's class where one begins, -100 elsewhere.

        Raises:
            ValueError: The examples are unlabelled, or have not one class for each word.
        """
        alignment = aligned(data)
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
        raise ValueError(f"{name} has {len(words)} words and {len(target)} classes")
    return np.asarray(target, dtype=np.int64)
