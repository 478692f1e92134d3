"""Provides `EveryStage`, a view of an encoder that reads out all of its stages, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from tlbench.modeling.activations.encoding import in_eval_mode
from tlbench.modeling.data import Batch
from tlbench.modeling.encoder import Encoder, Hidden, Stage
from tlbench.modeling.readouts import mean


class EveryStage(Encoder):
    """A frozen encoder whose output is the readouts of all its stages, from the embeddings up, side by side.

    A row costs one pass, since each stage continues from the one below. Lower stages are read out as the last one is;
    where that is a module of the library, made for the last stage, by the mean over positions. The view shares the
    weights of the encoder. It is not cut: it runs from the first stage to the last.
    """

    def __init__(self, encoder: Encoder, sample: Batch, *, tokens: bool = False) -> None:
        """Runs the sample to find the widths of the stages.

        Args:
            encoder: The encoder.
            sample: Any batch of rows, on the encoder's device.
            tokens: Whether the hidden states of every position are put side by side, (B, T, width), instead of
                readouts, (B, width).
        """
        super().__init__()
        self.native = encoder.native
        self.training = encoder.training
        self.readout = encoder.readout
        self.identity = f"{encoder.identity}:every-stage{':tokens' if tokens else ''}"
        self._encoder = encoder
        self._tokens = tokens
        with torch.no_grad(), in_eval_mode(encoder):
            outputs = list(self._outputs(sample))
        shape = outputs[-1].x.shape
        # timm's feature maps are (B, D, H, W) or (B, H, W, D).
        self._channels_last = len(shape) == 4 and shape[-1] == encoder.width != shape[1]
        with torch.no_grad():
            self.widths = tuple(self._read(number, hidden).shape[-1] for number, hidden in enumerate(outputs))
        """The width of each stage's part."""
        self.width = sum(self.widths)

    @property
    def underlying(self) -> Encoder:
        """The encoder that has the weights."""
        return self._encoder

    @property
    def stages(self) -> Sequence[Stage]:
        """The stages of the encoder."""
        return self._encoder.stages

    def forward(self, batch: Batch | Hidden, start: int = 0, stop: int | None = None) -> Hidden:
        """Returns the readouts of all stages, (B, width), or their hidden states, (B, T, width).

        Raises:
            ValueError: Only some of the stages are asked for.
        """
        end = len(self.stages)
        if start == end and isinstance(batch, Hidden):
            return batch
        if isinstance(batch, Hidden) or start != 0 or stop not in (None, end):
            raise ValueError(f"no stages {start} to {stop}: every stage is read, so start at 0 and stop at {end}")
        parts, mask = [], None
        for number, hidden in enumerate(self._outputs(batch)):
            parts.append(self._read(number, hidden))
            mask = hidden.mask
        return Hidden(torch.cat(parts, dim=-1), mask if self._tokens else None)

    def pool(self, hidden: Hidden) -> Tensor:
        """Returns the readouts (B, width), which `forward` has computed; of positions, their mean."""
        return mean(hidden) if self._tokens else hidden.x

    def _outputs(self, batch: Batch) -> Iterator[Hidden]:
        """Yields the output of each stage."""
        hidden = self._encoder(batch, stop=1)
        yield hidden
        for number in range(1, len(self.stages)):
            hidden = self._encoder(hidden, start=number, stop=number + 1)
            yield hidden

    def _read(self, number: int, hidden: Hidden) -> Tensor:
        """Returns the part of a stage: (B, T, D) of positions, otherwise its readout (B, D)."""
        if self._tokens:
            return hidden.x
        if self.readout != "pooler" or number == len(self.stages) - 1:
            return self._encoder.pool(hidden)
        return hidden.x.mean((1, 2)) if self._channels_last else mean(hidden)
