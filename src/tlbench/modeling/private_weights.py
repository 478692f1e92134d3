"""Moves weights that are mapped from a file into the process's own memory."""

from __future__ import annotations

import torch
from torch import nn

_PAGE_BYTES = 4096


def make_private(module: nn.Module) -> None:
    """Writes one byte of each page of the weights and buffers, without changing it.

    Loaded weights are often pages of a mapped file until something writes to them. A fit that trains them, or a second
    fit that restores them, would need memory that a first fit with frozen weights does not: so that memory is the same
    for each, the kernel copies the pages now.
    """
    with torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            # what is not contiguous is an expanded view or small
            if tensor.device.type == "cpu" and tensor.numel() and tensor.is_contiguous():
                content = tensor.detach().view(-1).view(torch.uint8)
                content[::_PAGE_BYTES].add_(0)
                content[-1:].add_(0)
