"""How a text model of transformers is called."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from tlbench.modeling.data import Batch
from tlbench.modeling.encoder import Hidden
from tlbench.modeling.stages.staged_encoder import Convention

_INPUTS = ("input_ids", "attention_mask", "token_type_ids", "position_ids")


class TextConvention(Convention):
    """Token ids in, `last_hidden_state` out."""

    def __init__(self, native: nn.Module) -> None:
        takes = inspect.signature(native.forward).parameters
        self._inputs = tuple(name for name in _INPUTS if name in takes)
        # Keys and values of earlier tokens are of no use here, and would be kept for every block.
        self._settings: dict[str, Any] = {"use_cache": False} if "use_cache" in takes else {}

    def run(self, native: nn.Module, batch: Batch) -> Tensor:
        """Returns (B, T, D)."""
        inputs = {name: batch[name] for name in self._inputs if name in batch}
        output: Tensor = native(**inputs, **self._settings).last_hidden_state
        return output

    def sample(self, native: nn.Module) -> Batch:
        """Returns (2, 3) token ids."""
        ids = torch.zeros((2, 3), dtype=torch.long, device=next(native.parameters()).device)
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}

    def standin(self, hidden: Hidden) -> Batch:
        """Returns the first token again and again, with the mask and the positions of the batch it stands for."""
        batch: Batch = {"input_ids": torch.zeros(hidden.x.shape[:2], dtype=torch.long, device=hidden.x.device)}
        if hidden.mask is not None:
            batch["attention_mask"] = hidden.mask.to(torch.long)
        return {**batch, **hidden.extras}

    def mask(self, batch: Batch) -> Tensor | None:
        """Returns (B, T) bool."""
        mask: Tensor | None = batch.get("attention_mask")
        return None if mask is None else mask.bool()

    def extras(self, batch: Batch) -> Mapping[str, Tensor]:
        """Returns the positions, where the batch gives them: rotary embeddings read them in every block."""
        return {"position_ids": batch["position_ids"]} if "position_ids" in batch else {}

    def pooler(self, native: nn.Module) -> Callable[[Tensor], Tensor] | None:
        """Returns the library's pooler on the first token."""
        pooler = getattr(native, "pooler", None)
        if isinstance(pooler, nn.Linear):
            activation: Any = native.pooler_activation
            return lambda x: activation(pooler(x[:, 0]))
        return pooler
