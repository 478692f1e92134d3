"""How a model of timm is called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from tlbench.modeling.data import Batch
from tlbench.modeling.encoder import Hidden
from tlbench.modeling.stages.staged_encoder import Convention

_ROWS = 2


class ImageConvention(Convention):
    """Pixels in, `forward_features` out; `forward_head` without its last layer is the readout."""

    def __init__(self, size: tuple[int, int]) -> None:
        """Takes height and width of the images."""
        self._size = size

    def run(self, native: Any, batch: Batch) -> Tensor:
        """Returns feature maps or tokens, in whatever order of dimensions the model has them."""
        output: Tensor = native.forward_features(batch["pixel_values"].to(next(native.parameters()).dtype))
        return output

    def sample(self, native: nn.Module) -> Batch:
        """Returns two black images."""
        return self._black(next(native.parameters()).device)

    def standin(self, hidden: Hidden) -> Batch:
        """Returns two black images, however many rows there are: no block reads more than what stands before it.

        That this is so of a model is checked before its blocks are believed (`blocks.py`).
        """
        return self._black(hidden.x.device)

    def pooler(self, native: Any) -> Callable[[Tensor], Tensor]:
        """Returns the library's readout, up to its last linear layer."""
        return lambda x: native.forward_head(x, pre_logits=True)

    def _black(self, device: torch.device) -> Batch:
        return {"pixel_values": torch.zeros((_ROWS, 3, *self._size), device=device)}
