"""Defines the staged encoder: a backbone as one ordered list of stages that can be cut anywhere and joined again."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from tlbench.contracts.errors import PluginError
from tlbench.modeling.data import Batch, moved


@dataclass(frozen=True)
class Hidden:
    """A batch of hidden states, between two stages or at the end of an encoder."""

    x: Tensor
    """(B, T, D) for sequences, (B, D, H, W) or the library's own order for feature maps."""
    mask: Tensor | None = None
    """(B, T) bool, True for tokens; None if every position counts."""
    extras: Mapping[str, Tensor] = field(default_factory=dict)
    """Other tensors that later stages of this encoder need, batch first."""

    def to(self, device: torch.device) -> Hidden:
        """Returns a copy on another device."""
        extras = {name: moved(value, device) for name, value in self.extras.items()}
        mask = None if self.mask is None else moved(self.mask, device)
        return Hidden(moved(self.x, device), mask, extras)


@dataclass(frozen=True)
class Stage:
    """One stage of an encoder: stage 0 is the embeddings or the stem, and each block is one further stage."""

    name: str
    parameters: tuple[str, ...]
    """Names of the stage's parameters in `encoder.native.named_parameters()`; each parameter belongs to one stage."""


class Encoder(nn.Module):
    """A backbone as an ordered list of stages: `encoder(encoder(b, stop=k), start=k) == encoder(b)` for every k.

    `stages[0]` is the embeddings or the stem, so stop=1 returns their output; k runs from 1 to len(stages).
    Modules above the last block, such as a final norm, belong to the last stage.
    """

    native: nn.Module
    """The library's own module, for peft, export and generation."""
    width: int
    """The size D of the vectors that `pool` returns."""
    readout: str
    """The readout that `pool` uses: "mean", "first", "last", "pooler", ..."""
    identity: str
    """A name for the pretrained weights, equal for equal weights; part of the activation cache's keys."""

    @property
    @abstractmethod
    def stages(self) -> Sequence[Stage]:
        """The stages in order, with the names of their parameters in `native`."""

    @abstractmethod
    def forward(self, batch: Batch | Hidden, start: int = 0, stop: int | None = None) -> Hidden:
        """Returns the output of stages[start:stop].

        Args:
            batch: A batch for start = 0, else the `Hidden` that stage `start - 1` returned.
            start: The first stage to run.
            stop: One past the last stage to run; None for all.

        Raises:
            ValueError: start or stop is out of range, a Hidden is given for start = 0, or a batch for a later start.
        """

    @abstractmethod
    def pool(self, hidden: Hidden) -> Tensor:
        """Returns the readout of the last stage's output, (B, width)."""

    def at_stages(self, batch: Batch | Hidden, stops: Sequence[int], start: int = 0) -> list[Hidden]:
        """Returns the output of stages[start:stop] for each of several stops, in one pass where the encoder can.

        Args:
            batch: A batch for start = 0, else the `Hidden` that stage `start - 1` returned.
            stops: One past the last stage of each output, in rising order, each above `start`.
            start: The first stage to run.
        """
        outputs: list[Hidden] = []
        given, first = batch, start
        for stop in stops:
            given, first = self(given, start=first, stop=stop), stop
            outputs.append(given)
        return outputs

    def sample(self) -> Batch:
        """Returns a batch of a few arbitrary rows on the encoder's device, with which shapes of outputs can be found.

        Raises:
            PluginError: The encoder has none; this is the default.
        """
        raise PluginError(f"{type(self).__name__} has no sample of its input")

    def stage_parameters(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[str, nn.Parameter]]:
        """Yields the names and parameters of stages[start:stop], in order."""
        # stages hold names, not a ModuleList: a second path to a tensor would make safetensors refuse to save it
        named = dict(self.native.named_parameters())
        for stage in self.stages[start:stop]:
            for name in stage.parameters:
                yield name, named[name]

    @property
    def underlying(self) -> Encoder:
        """The encoder that has the weights: this one, unless it is a view of another one."""
        return self

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return next(self.native.parameters()).device

    def extra_repr(self) -> str:
        """Returns the text that `print(encoder)` shows beside its modules."""
        return f"{self.identity}, stages={len(self.stages)}, width={self.width}, readout={self.readout}"


def count_parameters(module: nn.Module, trainable: bool = False) -> int:
    """Returns the number of weights of a module; with `trainable`, of those that require a gradient."""
    return count_all_and_trainable(module)[trainable]


def count_all_and_trainable(module: nn.Module) -> tuple[int, int]:
    """Returns the number of weights of a module, and of those that require a gradient, in one walk over it."""
    total = trainable = 0
    for parameter in module.parameters():
        total += (size := parameter.numel())
        trainable += size if parameter.requires_grad else 0
    return total, trainable


def as_hidden(value: Any) -> Hidden:
    """Returns the value if it is a Hidden.

    Raises:
        ValueError: The value is not a Hidden.
    """
    if not isinstance(value, Hidden):
        raise ValueError("stages after the first need the Hidden that an earlier stage put out")
    return value
