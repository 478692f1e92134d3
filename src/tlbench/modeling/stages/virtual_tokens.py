"""Virtual tokens: what prompt tuning puts before the tokens of every row (Lester et al. 2021, arXiv:2104.08691)."""

from __future__ import annotations

import torch

from tlbench.modeling.encoder import Hidden

_COUNT = "virtual_tokens"
"""The extra that says how many there are, (B,) int64."""


def with_virtual(hidden: Hidden) -> Hidden:
    """Returns the hidden state with a mask of its own length; what it has more than the batch stands first."""
    x, mask = hidden.x, hidden.mask
    if mask is None or x.ndim != 3 or x.shape[1] <= mask.shape[1]:
        return hidden
    count = x.shape[1] - mask.shape[1]
    longer = torch.cat([mask.new_ones(len(mask), count), mask], dim=1)
    return Hidden(x, longer, {**hidden.extras, _COUNT: torch.full((len(mask),), count, device=mask.device)})


def without_virtual(hidden: Hidden) -> Hidden:
    """Returns the hidden state of the tokens of the batch alone."""
    if _COUNT not in hidden.extras:
        return hidden
    count = int(hidden.extras[_COUNT][0])
    extras = {name: value for name, value in hidden.extras.items() if name != _COUNT}
    return Hidden(hidden.x[:, count:], None if hidden.mask is None else hidden.mask[:, count:], extras)
