"""Moves weights that are mapped from a file into the process's own memory."""

from __future__ import annotations

import torch
from torch import nn

_PAGE_BYTES = 4096


def make_private(module: nn.Module) -> None:
    """Makes the kernel copy mapped weights and buffers into memory, by rewriting one byte of each page unchanged.

    Loaded weights are often pages of a mapped file until something writes to them. Without the copy, a fit that trains
    the weights, or a second fit that restores them, would need memory that a first fit with frozen weights does not
    need. With it, the weights take the same memory in every fit.
    """
    with torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            # tensors that are not contiguous are skipped: they are expanded views, or small
            if tensor.device.type == "cpu" and tensor.numel() and tensor.is_contiguous():
                content = tensor.detach().view(-1).view(torch.uint8)
                content[::_PAGE_BYTES].add_(0)
                content[-1:].add_(0)
