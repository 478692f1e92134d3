"""How tlbench calls a timm model and reads its output."""

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
    """Calls `forward_features` on pixels; the readout is `forward_head` without its last layer."""

    def __init__(self, size: tuple[int, int]) -> None:
        """Takes the height and width of the images."""
        self._size = size

    def run(self, native: Any, batch: Batch) -> Tensor:
        """Returns feature maps or tokens, batch first, with the other dimensions in the model's own order."""
        # Cast for models in bf16; pixels are prepared in fp32.
        output: Tensor = native.forward_features(batch["pixel_values"].to(next(native.parameters()).dtype))
        return output

    def sample(self, native: nn.Module) -> Batch:
        """Returns two black images."""
        return self._black(next(native.parameters()).device)

    def standin(self, hidden: Hidden) -> Batch:
        """Returns two black images for any number of rows, because the blocks read only the hidden states.

        `blocks.verified_blocks` checks that this holds for a model before its blocks are used.
        """
        return self._black(hidden.x.device)

    def pooler(self, native: Any) -> Callable[[Tensor], Tensor]:
        """Returns timm's readout up to its last linear layer."""
        return lambda x: native.forward_head(x, pre_logits=True)

    def _black(self, device: torch.device) -> Batch:
        return {"pixel_values": torch.zeros((_ROWS, 3, *self._size), device=device)}
