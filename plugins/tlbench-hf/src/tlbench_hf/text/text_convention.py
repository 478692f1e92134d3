"""How tlbench calls a text model of transformers and reads its output."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from tlbench.modeling.data import Batch
from tlbench.modeling.encoder import Hidden
from tlbench.modeling.stages.staged_encoder import Convention

INPUTS = ("input_ids", "attention_mask", "token_type_ids", "position_ids")
"""The arguments of a model's forward pass that a batch of token ids may contain."""


class TextConvention(Convention):
    """Calls the model on token ids and returns `last_hidden_state`."""

    def __init__(self, native: nn.Module) -> None:
        takes = inspect.signature(native.forward).parameters
        self._inputs = tuple(name for name in INPUTS if name in takes)
        # A key-value cache is of no use for one pass over whole texts, and would be kept for every block.
        self._settings: dict[str, Any] = {"use_cache": False} if "use_cache" in takes else {}

    def run(self, native: nn.Module, batch: Batch) -> Tensor:
        """Returns hidden states (B, T, D)."""
        inputs = {name: batch[name] for name in self._inputs if name in batch}
        output: Tensor = native(**inputs, **self._settings).last_hidden_state
        return output

    def sample(self, native: nn.Module) -> Batch:
        """Returns a batch of token ids, (2, 3)."""
        ids = torch.zeros((2, 3), dtype=torch.long, device=next(native.parameters()).device)
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}

    def standin(self, hidden: Hidden) -> Batch:
        """Returns a batch of zeros as token ids, with the mask and positions of the batch that `hidden` comes from."""
        batch: Batch = {"input_ids": torch.zeros(hidden.x.shape[:2], dtype=torch.long, device=hidden.x.device)}
        if hidden.mask is not None:
            batch["attention_mask"] = hidden.mask.to(torch.long)
        return {**batch, **hidden.extras}

    def mask(self, batch: Batch) -> Tensor | None:
        """Returns the attention mask, (B, T) bool, False at padding; None if the batch has none."""
        mask: Tensor | None = batch.get("attention_mask")
        return None if mask is None else mask.bool()

    def extras(self, batch: Batch) -> Mapping[str, Tensor]:
        """Returns position ids if the batch has them, because rotary embeddings read them in every block."""
        return {"position_ids": batch["position_ids"]} if "position_ids" in batch else {}

    def pooler(self, native: nn.Module) -> Callable[[Tensor], Tensor] | None:
        """Returns the library's pooler, a map from hidden states (B, T, D) to (B, D), or None."""
        pooler = getattr(native, "pooler", None)
        # ALBERT keeps the pooler's dense layer and its activation in separate attributes.
        if isinstance(pooler, nn.Linear):
            activation: Any = native.pooler_activation
            return lambda x: activation(pooler(x[:, 0]))
        return pooler
