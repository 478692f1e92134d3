"""Masks tokens at random, for the model to predict. Imports torch only where tokens are masked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlbench import Vocabulary

if TYPE_CHECKING:
    from torch import Tensor

MASKED = 0.15
"""The share of a row's tokens that are predicted (Devlin et al. 2019, arXiv:1810.04805, section 3.1)."""
REPLACED, RANDOM = 0.8, 0.1
"""The share of the predicted tokens that are replaced by the mask token, and by a random token; the rest stay."""


def masked(ids: Tensor, vocabulary: Vocabulary, size: int) -> tuple[Tensor, Tensor]:
    """Returns token ids (B, T) with some of them masked, and the positions that are to be predicted, (B, T) bool.

    Of each row's tokens that are text, 15% are predicted, at least one. Of these, 80% are replaced by the mask token,
    10% by a random token, and 10% stay as they are.

    Args:
        ids: The token ids.
        vocabulary: Names the mask token and the special tokens, which are never chosen.
        size: The number of tokens to draw random ones from.
    """
    import torch

    assert vocabulary.mask is not None
    text = ~torch.isin(ids, torch.tensor(vocabulary.special, device=ids.device))
    # Others get a draw beyond all draws of text, so that the lowest ranks are those of random tokens of text.
    ranks = torch.rand(ids.shape, device=ids.device).masked_fill(~text, 2.0).argsort(-1).argsort(-1)
    counts = (MASKED * text.sum(-1, keepdim=True)).round().clamp(min=1)
    predicted = (ranks < counts) & text
    fate = torch.rand(ids.shape, device=ids.device)
    draws = torch.randint(size, ids.shape, device=ids.device)
    changed = torch.where(predicted & (fate < REPLACED), vocabulary.mask, ids)
    return torch.where(predicted & (fate >= REPLACED) & (fate < REPLACED + RANDOM), draws, changed), predicted
