"""Provides `SpanHead`: extractive question answering by a start and an end position in the context."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from tlbench.contracts.exports.forms import DenseHead, FeatureModel
from tlbench.contracts.outputs import Answer, Predictions
from tlbench.modeling.data import Data
from tlbench.modeling.heads.head import Head, Outputs, required_alignment
from tlbench.modeling.precision import at_least_fp32

if TYPE_CHECKING:
    from tlbench.modeling.encoder import Encoder, Hidden

N_BEST = 20
"""The number of most likely starts, and of most likely ends, that are combined in each window, as in transformers'
question-answering example."""
MAX_ANSWER_TOKENS = 30
PADDING_LOGIT = -1e4
"""Logit of padding positions. Its softmax is 0, and unlike minus infinity it passes the check for finite outputs."""


class SpanHead(Head):
    """Predicts an answer's start and end by a linear layer on every position (Devlin et al. 2019, section 4.2).

    The first position (the class token, if there is one) stands for "no answer in this window". The head predicts empty
    answers only if at least one training question has no answer; otherwise each question gets its best span.
    """

    def __init__(self, width: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(width, 2)
        nn.init.normal_(self.linear.weight, std=0.02)
        nn.init.zeros_(self.linear.bias)
        # a buffer, so that a saved predictor has it too
        self.may_be_empty: Tensor
        self.register_buffer("may_be_empty", torch.zeros((), dtype=torch.bool))

    def prepare(self, data: Data) -> None:
        """Allows the head to predict empty answers if at least one training question has no answer."""
        self.may_be_empty.fill_(any(example.target == () for example in data.examples))

    def forward(self, encoder: Encoder, hidden: Hidden) -> Tensor:
        """Returns logits of starts and ends, (B, T, 2)."""
        logits: Tensor = self.linear(self.dropout(hidden.x))
        return logits if hidden.mask is None else logits.masked_fill(~hidden.mask[..., None], PADDING_LOGIT)

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Returns the mean cross-entropy of starts and ends.

        Args:
            logits: (B, T, 2).
            targets: First and last position of the answer, (B, 2) int64.
        """
        # Cross-entropy takes classes from dimension 1: the T positions are the classes, and the last dimension holds
        # two independent problems, start and end.
        return nn.functional.cross_entropy(at_least_fp32(logits), targets)

    def outputs(self, logits: Tensor) -> Outputs:
        """Returns the logits of each row, (T, 2)."""
        # spans are searched in `merge`, where the windows of an example are together
        return Outputs(list(at_least_fp32(logits).cpu().numpy()))

    def merge(self, outputs: list[Outputs], data: Data) -> Predictions:
        """Returns the answer to each question: the text of the best span among all its windows, or "".

        As in transformers' question-answering example, a span's score is the sum of its start and end logits. If
        answers may be empty, the span must beat the lowest no-answer score among the windows.
        """
        best = [(-np.inf, 0, 0)] * len(data.examples)
        empty = [np.inf] * len(data.examples)
        rows = (row for part in outputs for row in part.values)
        for owner, offsets, logits in zip(data.owners.tolist(), required_alignment(data), rows, strict=True):
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

    def exportable(self, encoder: Encoder) -> FeatureModel:
        """Returns the linear layer on every position, for starts and ends."""
        layer = self.linear.weight.detach().float(), self.linear.bias.detach().float()
        return FeatureModel(encoder, DenseHead((layer,)), may_be_empty=bool(self.may_be_empty))

    def targets(self, data: Data) -> Tensor:
        """Returns the first and last position of an answer in each row, (rows, 2) int64; (0, 0) for rows without one.

        Raises:
            ValueError: The examples are unlabelled.
        """
        targets = torch.zeros((len(data), 2), dtype=torch.int64)
        for row, (owner, offsets) in enumerate(zip(data.owners.tolist(), required_alignment(data), strict=True)):
            answers = data.examples[owner].target
            if answers is None:
                raise ValueError("these examples are unlabelled")
            targets[row] = torch.tensor(_target_positions(answers, offsets))
        return targets


def _best_span(logits: np.ndarray, offsets: np.ndarray) -> tuple[float, int, int]:
    """Returns the score and the first and last position of the best valid span of a window.

    The score is minus infinity if the window contains no part of the context.

    Args:
        logits: The logits of starts and ends, (T or more, 2).
        offsets: For each position its first and one past its last character in the context, (T, 2); -1 outside the
            context.
    """
    context = np.flatnonzero(offsets[:, 0] >= 0)
    if not len(context):
        return -np.inf, 0, 0
    # context positions are adjacent, so a difference of indices into `context` is a length in tokens
    starts, ends = logits[context, 0], logits[context, 1]
    # only the n best are combined, instead of all T x T pairs
    firsts, lasts = (np.argsort(-part, kind="stable")[:N_BEST] for part in (starts, ends))
    scores, valid = _pair_scores(starts, ends, firsts, lasts)
    # no valid pair, for example if all the best ends come before the best starts: then try all pairs
    if not valid.any():
        firsts = lasts = np.arange(len(context))
        scores, valid = _pair_scores(starts, ends, firsts, lasts)
    at = np.where(valid, scores, -np.inf).argmax()
    first, last = firsts[at // len(lasts)], lasts[at % len(lasts)]
    return float(starts[first] + ends[last]), int(context[first]), int(context[last])


def _pair_scores(
    starts: np.ndarray, ends: np.ndarray, firsts: np.ndarray, lasts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the score of every pair of a start and an end, and whether its length is valid, (firsts, lasts) each."""
    length = lasts[None] - firsts[:, None] + 1
    return starts[firsts][:, None] + ends[lasts][None], (length >= 1) & (length <= MAX_ANSWER_TOKENS)


def _target_positions(answers: Sequence[Answer], offsets: np.ndarray) -> tuple[int, int]:
    """Returns the first and last position of the first answer within the window; (0, 0) if it contains no answer."""
    context = np.flatnonzero(offsets[:, 0] >= 0)
    if not len(context):
        return 0, 0
    starts, ends = offsets[context, 0], offsets[context, 1]
    for answer in answers:
        stop = answer.start + len(answer.text)
        if starts[0] <= answer.start and stop <= ends[-1]:
            # an answer may begin or end within a token: the tokens that cover it are the target
            first = int(np.searchsorted(starts, answer.start, side="right")) - 1
            last = max(first, int(np.searchsorted(ends, stop, side="left")))
            return int(context[first]), int(context[last])
    return 0, 0
