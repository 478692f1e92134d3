"""The trained model: an encoder, whose lower stages may be frozen, and a head."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from tlbench.modeling.activations.encoding import in_eval_mode
from tlbench.modeling.data import Batch, to_device
from tlbench.modeling.encoder import Encoder, Hidden
from tlbench.modeling.heads import Head
from tlbench.training.parameters import freeze


class Model(nn.Module):
    """An encoder and a head as one module; the encoder's stages below `start` are frozen."""

    def __init__(self, encoder: Encoder, head: Head, start: int = 0) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head
        self.start = start
        freeze(encoder, start)

    def forward(self, batch: Batch) -> Any:
        """Returns the head's logits for a batch of raw rows, or of cached hidden states after stages[:start].

        Training is the same with both kinds of rows: the frozen prefix runs in eval mode, including dropout modules
        that are shared with stages above it.
        """
        hidden = batch.get("hidden")
        if not isinstance(hidden, Hidden):
            if not (self.training and self.start):
                return self.head(self.encoder, self.encoder(batch))
            # The cache was computed in eval mode, so the prefix has to run without dropout here as well.
            with in_eval_mode(self.encoder), torch.no_grad():
                hidden = self.encoder(batch, stop=self.start)
        if self.start < len(self.encoder.stages):
            hidden = self.encoder(hidden, start=self.start)
        return self.head(self.encoder, hidden)

    def train(self, mode: bool = True) -> Model:
        """Sets train mode, except for frozen modules: their dropout is off and their running statistics stay fixed."""
        super().train(mode)
        if mode:
            _set_frozen_to_eval(self.encoder, parent_frozen=False)
        return self

    @property
    def device(self) -> torch.device:
        """The device of the parameters."""
        return self.encoder.device


def placed(batch: Batch, device: torch.device) -> Batch:
    """Returns the batch on the device, including its hidden states."""
    hidden = batch.get("hidden")
    if isinstance(hidden, Hidden):
        return {**to_device(batch, device), "hidden": hidden.to(device)}
    return to_device(batch, device)


def _set_frozen_to_eval(module: nn.Module, parent_frozen: bool) -> None:
    """Sets eval mode for modules without trainable parameters; a module without parameters follows its parent."""
    parameters = list(module.parameters())
    is_frozen = not any(p.requires_grad for p in parameters) if parameters else parent_frozen
    if is_frozen:
        module.training = False
    # Setting `training` does not reach the children, unlike `eval()`: a frozen module can hold a child that trains.
    for child in module.children():
        _set_frozen_to_eval(child, is_frozen)
