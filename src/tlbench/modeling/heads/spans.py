"""A stretch of the context that answers a question: a start and an end among its positions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from tlbench.contracts.outputs import Answer, Predictions
from tlbench.modeling.data import Data
from tlbench.modeling.heads.head import Head, Outputs, aligned
from tlbench.modeling.precision import at_least_fp32

if TYPE_CHECKING:
    from tlbench.modeling.encoder import Encoder, Hidden

CANDIDATES = 20
"""How many of the best starts of a window are combined with as many of its best ends."""
LONGEST_ANSWER = 30
"""Tokens."""
OUTSIDE = -1e4
"""The logit of padding: its softmax is 0, and sums of it are finite."""


class SpanHead(Head):
    """A linear layer on every position: is it the answer's first, is it its last (Devlin et al. 2019, section 4.2).

    The first position (the class token, where there is one) stands for "not here". Whether a question may go
    unanswered is learnt from the training data: if none does, each gets the best stretch that there is.
    """

    def __init__(self, width: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(width, 2)
        nn.init.normal_(self.linear.weight, std=0.02)
        nn.init.zeros_(self.linear.bias)
        self.may_be_empty: Tensor
        self.register_buffer("may_be_empty", torch.zeros((), dtype=torch.bool))

    def prepare(self, data: Data) -> None:
        """Notes whether any training question has no answer."""
        self.may_be_empty.fill_(any(example.target == () for example in data.examples))

    def forward(self, encoder: Encoder, hidden: Hidden) -> Tensor:
        """Returns logits (B, T, 2) of starts and ends."""
        logits: Tensor = self.linear(self.dropout(hidden.x))
        return logits if hidden.mask is None else logits.masked_fill(~hidden.mask[..., None], OUTSIDE)

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Returns the mean of the cross-entropies of starts and ends; `targets` are positions (B, 2)."""
        # (B, T, 2): the positions are the classes, and start and end two problems beside each other
        return nn.functional.cross_entropy(at_least_fp32(logits), targets)

    def outputs(self, logits: Tensor) -> Outputs:
        """Returns the logits of each row, (T, 2)."""
        return Outputs(list(at_least_fp32(logits).cpu().numpy()))

    def merge(self, outputs: list[Outputs], data: Data) -> Predictions:
        """Returns a text for each example: the best stretch of all its windows, or none if that is likelier still.

        As transformers' question-answering example: the sum of both logits counts; where a question may go
        unanswered, the stretch has to beat the first position in the window that denies it least.
        """
        best = [(-np.inf, 0, 0)] * len(data.examples)
        empty = [np.inf] * len(data.examples)
        rows = (row for part in outputs for row in part.values)
        for owner, offsets, logits in zip(data.owners.tolist(), aligned(data), rows, strict=True):
            empty[owner] = min(empty[owner], float(logits[0].sum()))
            score, first, last = _best_span(logits, offsets)
            if score > best[owner][0]:
                best[owner] = score, int(offsets[first, 0]), int(offsets[last, 1])
        values = np.empty(len(best), dtype=object)
        may_be_empty = bool(self.may_be_empty)
        for i, (example, (score, start, end)) in enumerate(zip(data.examples, best, strict=True)):
            refused = may_be_empty and empty[i] > score
            values[i] = "" if refused else example.inputs[1][start:end].strip()
        return Predictions(data.ids, values)

    def targets(self, data: Data) -> Tensor:
        """Returns (rows, 2) int64: first and last position of an answer in the window, (0, 0) where it has none.

        Raises:
            ValueError: The examples are unlabelled.
        """
        targets = torch.zeros((len(data), 2), dtype=torch.int64)
        for row, (owner, offsets) in enumerate(zip(data.owners.tolist(), aligned(data), strict=True)):
            answers = data.examples[owner].target
            if answers is None:
                raise ValueError("these examples are unlabelled")
            targets[row] = torch.tensor(_places(answers, offsets))
        return targets


def _best_span(logits: np.ndarray, offsets: np.ndarray) -> tuple[float, int, int]:
    """Returns score, first and last position of the best valid stretch; minus infinity where the row has none."""
    context = np.flatnonzero(offsets[:, 0] >= 0)
    if not len(context):
        return -np.inf, 0, 0
    # the window's context stands together, so that distances among its positions are those in the row
    starts, ends = logits[context, 0], logits[context, 1]
    firsts, lasts = (np.argsort(-part, kind="stable")[:CANDIDATES] for part in (starts, ends))
    scores, valid = _combined(starts, ends, firsts, lasts)
    if not valid.any():
        firsts = lasts = np.arange(len(context))
        scores, valid = _combined(starts, ends, firsts, lasts)
    at = np.where(valid, scores, -np.inf).argmax()
    first, last = firsts[at // len(lasts)], lasts[at % len(lasts)]
    return float(starts[first] + ends[last]), int(context[first]), int(context[last])


def _combined(
    starts: np.ndarray, ends: np.ndarray, firsts: np.ndarray, lasts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    length = lasts[None] - firsts[:, None] + 1
    return starts[firsts][:, None] + ends[lasts][None], (length >= 1) & (length <= LONGEST_ANSWER)


def _places(answers: Sequence[Answer], offsets: np.ndarray) -> tuple[int, int]:
    """Returns the positions of the first of the answers that lies within the window."""
    context = np.flatnonzero(offsets[:, 0] >= 0)
    if not len(context):
        return 0, 0
    starts, ends = offsets[context, 0], offsets[context, 1]
    for answer in answers:
        stop = answer.start + len(answer.text)
        if starts[0] <= answer.start and stop <= ends[-1]:
            first = int(np.searchsorted(starts, answer.start, side="right")) - 1
            last = max(first, int(np.searchsorted(ends, stop, side="left")))
            return int(context[first]), int(context[last])
    return 0, 0
