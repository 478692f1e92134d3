"""What is trained: an encoder, frozen below some stage, and a head."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from tlbench.modeling.activations.encoding import resting
from tlbench.modeling.data import Batch, to_device
from tlbench.modeling.encoder import Encoder, Hidden
from tlbench.modeling.heads import Head
from tlbench.training.parameters import freeze


class Model(nn.Module):
    """An encoder from stage `start` up and a head; the stages below are frozen."""

    def __init__(self, encoder: Encoder, head: Head, start: int = 0) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head
        self.start = start
        freeze(encoder, start)

    def forward(self, batch: Batch) -> Any:
        """Returns the head's logits for a batch of raw rows, or of the hidden states that stages[:start] put out.

        Training sees the same of both: a frozen prefix rests as a whole, even where a dropout without weights of its
        own stands in a module that trains.
        """
        hidden = batch.get("hidden")
        if not isinstance(hidden, Hidden):
            if not (self.training and self.start):
                return self.head(self.encoder, self.encoder(batch))
            with resting(self.encoder), torch.no_grad():
                hidden = self.encoder(batch, stop=self.start)
        if self.start < len(self.encoder.stages):
            hidden = self.encoder(hidden, start=self.start)
        return self.head(self.encoder, hidden)

    def train(self, mode: bool = True) -> Model:
        """Puts the model into train mode, but for what is frozen: its dropout and its running statistics rest."""
        super().train(mode)
        if mode:
            _rest(self.encoder, inherited=False)
        return self

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.encoder.device


def placed(batch: Batch, device: torch.device) -> Batch:
    """Returns the batch on the device, hidden states too."""
    hidden = batch.get("hidden")
    if isinstance(hidden, Hidden):
        return {**to_device(batch, device), "hidden": hidden.to(device)}
    return to_device(batch, device)


def _rest(module: nn.Module, inherited: bool) -> None:
    """Puts into eval mode what has nothing to train; a module without weights goes by the nearest one around it."""
    weights = list(module.parameters())
    resting = not any(p.requires_grad for p in weights) if weights else inherited
    if resting:
        module.training = False
    for child in module.children():
        _rest(child, resting)
