"""Handles virtual tokens, which prompt tuning puts before each row's tokens (Lester et al. 2021, arXiv:2104.08691)."""

from __future__ import annotations

import torch

from tlbench.modeling.encoder import Hidden

_COUNT = "virtual_tokens"
"""The extra that holds the number of virtual tokens of each row, (B,) int64."""


def with_virtual(hidden: Hidden) -> Hidden:
    """Returns the hidden state with its mask extended to the virtual tokens, which precede the batch's own tokens.

    Args:
        hidden: `x` is (B, V + T, D) and `mask` is the batch's own, (B, T).
    """
    x, mask = hidden.x, hidden.mask
    # feature maps, and hidden states without virtual tokens, are returned unchanged
    if mask is None or x.ndim != 3 or x.shape[1] <= mask.shape[1]:
        return hidden
    count = x.shape[1] - mask.shape[1]
    longer = torch.cat([mask.new_ones(len(mask), count), mask], dim=1)
    # one count per row, since extras are batch first and may be taken apart by rows
    return Hidden(x, longer, {**hidden.extras, _COUNT: torch.full((len(mask),), count, device=mask.device)})


def without_virtual(hidden: Hidden) -> Hidden:
    """Returns the hidden state of the batch's own tokens, (B, T, D), and their mask."""
    if _COUNT not in hidden.extras:
        return hidden
    count = int(hidden.extras[_COUNT][0])
    extras = {name: value for name, value in hidden.extras.items() if name != _COUNT}
    return Hidden(hidden.x[:, count:], None if hidden.mask is None else hidden.mask[:, count:], extras)
