"""The staged encoder: one ordered list of stages that can be cut anywhere and put together again."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from tlbench.modeling.data import Batch, moved


@dataclass(frozen=True)
class Hidden:
    """What stands between two stages, or at the end of an encoder."""

    x: Tensor
    """(B, T, D) for sequences, (B, D, H, W) or the library's own order for feature maps."""
    mask: Tensor | None = None
    """(B, T) bool, true where there is a token; None where every position counts."""
    extras: Mapping[str, Tensor] = field(default_factory=dict)
    """Whatever else later stages of this encoder need, batch first."""

    def to(self, device: torch.device) -> Hidden:
        """Returns the same on another device."""
        extras = {name: moved(value, device) for name, value in self.extras.items()}
        mask = None if self.mask is None else moved(self.mask, device)
        return Hidden(moved(self.x, device), mask, extras)


@dataclass(frozen=True)
class Stage:
    """One stage of an encoder: the embeddings (or stem) are stage 0, each block is one more."""

    name: str
    parameters: tuple[str, ...]
    """Names as in `encoder.native.named_parameters()`; every parameter belongs to exactly one stage."""


class Encoder(nn.Module):
    """A backbone's weights behind stages: `encoder(encoder(b, stop=k), start=k) == encoder(b)` for every k.

    `stages[0]` is the embeddings or the stem, so stop=1 is their output; k runs from 1 to len(stages).
    What stands above the last block (a final norm) belongs to the last stage.
    """

    native: nn.Module
    """The library's own module; peft, export and generation act on it."""
    width: int
    """D of what `pool` returns."""
    readout: str
    """How `pool` reads: "mean", "first", "last", "pooler", ..."""
    identity: str
    """Names the pretrained weights; equal for equal weights. Keys the activation cache."""

    @property
    @abstractmethod
    def stages(self) -> Sequence[Stage]:
        """The stages in order, as references into `native`."""

    @abstractmethod
    def forward(self, batch: Batch | Hidden, start: int = 0, stop: int | None = None) -> Hidden:
        """Returns what stage `stop - 1` puts out (the last if None), beginning before stage `start`.

        Raises:
            ValueError: start or stop out of range, or a Hidden where a batch belongs.
        """

    @abstractmethod
    def pool(self, hidden: Hidden) -> Tensor:
        """Returns (B, width): the readout of the last stage's output."""

    def stage_parameters(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[str, nn.Parameter]]:
        """Yields the named parameters of stages[start:stop], in order."""
        named = dict(self.native.named_parameters())
        for stage in self.stages[start:stop]:
            for name in stage.parameters:
                yield name, named[name]

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.native.parameters()).device

    def extra_repr(self) -> str:
        """Returns what `print(encoder)` says beside its modules."""
        return f"{self.identity}, stages={len(self.stages)}, width={self.width}, readout={self.readout}"


def count_parameters(module: nn.Module, trainable: bool = False) -> int:
    """Returns how many weights the module has; with `trainable`, those that take a gradient."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad or not trainable)


def as_hidden(value: Any) -> Hidden:
    """Returns the value if it is a Hidden.

    Raises:
        ValueError: It is not.
    """
    if not isinstance(value, Hidden):
        raise ValueError("stages after the first need the Hidden that an earlier stage put out")
    return value
