"""A view of an encoder whose output is the feature maps of several stages, as one vector per row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tlbench import PluginError, UsageError
from tlbench.contracts.exports.forms import StagePoint
from tlbench.modeling.activations.encoding import in_eval_mode
from tlbench.modeling.data import Batch
from tlbench.modeling.encoder import Encoder, Hidden, Stage
from tlbench.modeling.stages.staged_encoder import StagedEncoder
from tlbench_dense.standalone.stage_outputs import as_map

SMALLEST_STRIDE = 4
"""Finer maps are left out: their features see little, and they would take most of the memory."""
MOST_LEVELS = 4
"""Largest number of maps. A network with maps of one size, such as a ViT, gives those of stages at equal distances."""
_MOST_EXTRA_TOKENS = 16
"""Largest number of class and register tokens before the tokens of a map."""


@dataclass(frozen=True)
class Level:
    """The map of one stage."""

    stop: int
    """One past the stage."""
    shape: tuple[int, int, int]
    """Channels, height and width."""
    stride: int
    """Pixels of the input for each position."""


def feature_maps(encoder: Encoder) -> Encoder:
    """Returns the view of an encoder; a view is returned as it is."""
    return encoder if isinstance(encoder, FeatureMaps) else FeatureMaps(encoder)


def as_feature_maps(encoder: Encoder) -> FeatureMaps:
    """Returns the encoder as a view.

    Raises:
        PluginError: It is none.
    """
    if not isinstance(encoder, FeatureMaps):
        raise PluginError(f"{type(encoder).__name__} gives no maps of an image's features")
    return encoder


class FeatureMaps(Encoder):
    """An encoder with the same weights and stages as another one, whose output is a pyramid of maps.

    Between stages and at the end, a row is one vector (N,): the maps of the levels so far, and the hidden state that
    the next stage needs. So the outputs of a frozen prefix, the whole pyramid included, are cached like those of any
    encoder, and every stage can be the first that is trained.
    """

    def __init__(self, encoder: Encoder) -> None:
        """Runs the encoder's sample to find the maps.

        Raises:
            PluginError: The encoder has no sample of images, or its stages give no maps.
        """
        super().__init__()
        self.inner = encoder
        self.training = encoder.training
        sample = encoder.sample()
        pixels = sample.get("pixel_values")
        if not isinstance(pixels, Tensor):
            raise PluginError(f"{type(encoder).__name__} reads no images, so there are no maps of their features")
        self.size = (int(pixels.shape[-2]), int(pixels.shape[-1]))
        """Height and width of the images."""
        ends = range(1, len(encoder.stages) + 1)
        with torch.no_grad(), in_eval_mode(encoder):
            outputs = encoder.at_stages(sample, ends)
        self._states = {end: tuple(hidden.x.shape[1:]) for end, hidden in zip(ends, outputs, strict=True)}
        shapes = [_map_shape(hidden.x, self.size) for hidden in outputs]
        self.levels = _levels(shapes, self.size)
        """The maps, from the finest to the coarsest; the last is that of the last stage."""
        self.width = self.levels[-1].shape[0]
        self.readout = "mean"
        self.identity = f"{encoder.identity}:maps-{'-'.join(str(level.stop) for level in self.levels)}"

    def __setattr__(self, name: str, value: Any) -> None:
        # An adapter library may exchange the module, which is the other encoder's.
        if name == "native":
            self.inner.native = value
        else:
            super().__setattr__(name, value)

    @property
    def native(self) -> nn.Module:  # type: ignore[override]
        """The library's module."""
        return self.inner.native

    @property
    def underlying(self) -> Encoder:
        """The encoder that has the weights."""
        return self.inner.underlying

    @property
    def stages(self) -> Sequence[Stage]:
        """The stages of the encoder."""
        return self.inner.stages

    def sample(self) -> Batch:
        """Returns the sample of the encoder."""
        return self.inner.sample()

    def forward(self, batch: Batch | Hidden, start: int = 0, stop: int | None = None) -> Hidden:
        """Returns the maps of the levels up to `stop` as one vector per row, (B, N), with the hidden state if needed.

        Raises:
            ValueError: start or stop is out of range, a Hidden is given for start = 0, or a batch for a later start.
            PluginError: The encoder's hidden states have a mask or other tensors beside them.
        """
        end = len(self.stages)
        stop = end if stop is None else stop
        if not 0 <= start <= stop <= end or stop == 0:
            raise ValueError(f"no stages {start} to {stop}: this encoder has {end}")
        if start and start == stop and isinstance(batch, Hidden):
            return batch
        parts: list[Tensor] = []
        given: Batch | Hidden = batch
        if isinstance(batch, Hidden):
            lower = self._sizes(start)
            if start:
                *parts, state = batch.x.split([*lower, batch.x.shape[1] - sum(lower)], dim=1)
                given = Hidden(state.reshape(len(state), *self._states[start]))
        due = [level for level in self.levels if start < level.stop <= stop]
        stops = sorted({*(level.stop for level in due), stop})
        found = dict(zip(stops, self.inner.at_stages(given, stops, start), strict=True))
        if any(hidden.mask is not None or hidden.extras for hidden in found.values()):
            raise PluginError(f"{type(self.inner).__name__} has more than maps between its stages")
        parts += [as_map(found[level.stop].x, level.shape).flatten(1) for level in due]
        if stop < end:
            parts.append(found[stop].x.flatten(1))
        return Hidden(torch.cat(parts, dim=1))

    def maps(self, hidden: Hidden, like: Tensor | None = None) -> list[Tensor]:
        """Returns the maps of all levels, (B, C, H, W) each, from the finest to the coarsest.

        Args:
            hidden: The output of the last stage.
            like: A weight of the head, whose dtype the maps get; a backbone may have weights in bf16.
        """
        x = hidden.x if like is None else hidden.x.to(like.dtype)
        parts = x.split(self._sizes(len(self.stages)), dim=1)
        return [part.reshape(len(part), *level.shape) for part, level in zip(parts, self.levels, strict=True)]

    def points(self) -> tuple[StagePoint, ...]:
        """Returns where the maps of the levels are found in the library's module.

        Raises:
            UsageError: The encoder does not say where its stages begin.
        """
        if not isinstance(self.inner, StagedEncoder):
            raise UsageError(f"{type(self.inner).__name__} does not say where its stages begin")
        calls, found = self.inner.calls, []
        for level in self.levels:
            if level.stop > len(calls):
                found.append(StagePoint(""))
                continue
            call = calls[level.stop - 1]
            before = sum(other.path == call.path for other in calls[: level.stop - 1])
            found.append(StagePoint(call.path, before, call.hidden))
        return tuple(found)

    def pool(self, hidden: Hidden) -> Tensor:
        """Returns the mean over the last map, (B, width)."""
        return self.maps(hidden)[-1].mean((2, 3))

    def _sizes(self, stop: int) -> list[int]:
        return [math.prod(level.shape) for level in self.levels if level.stop <= stop]


def _levels(shapes: Sequence[tuple[int, int, int] | None], size: tuple[int, int]) -> list[Level]:
    """Returns the last stage of each resolution, or stages at equal distances if all have one resolution."""
    if shapes[-1] is None:
        raise PluginError("the last stage gives no map of features")
    found: dict[tuple[int, int], Level] = {}
    for stop, shape in enumerate(shapes, 1):
        if shape is not None and (stride := round(size[0] / shape[1])) >= SMALLEST_STRIDE:
            found[shape[1:]] = Level(stop, shape, stride)
    levels = list(found.values())[-MOST_LEVELS:]
    if len(levels) == 1 and len(shapes) > 1:
        end, count = len(shapes), min(MOST_LEVELS, len(shapes) - 1)
        stops = [round(end * (i + 1) / count) for i in range(count)]
        one_size = [(stop, shape) for stop in stops if (shape := shapes[stop - 1]) is not None]
        levels = [Level(stop, shape, levels[0].stride) for stop, shape in one_size if shape[1:] == levels[0].shape[1:]]
    if not levels or levels[-1].stop != len(shapes):
        raise PluginError(f"the last stage gives no map with a stride of at least {SMALLEST_STRIDE} pixels")
    return levels


def _map_shape(x: Tensor, size: tuple[int, int]) -> tuple[int, int, int] | None:
    """Returns channels, height and width of a stage's output as a map; None if it is none."""
    if x.ndim == 4:
        is_last = x.shape[1] == x.shape[2] != x.shape[3] and size[0] == size[1]
        channels, height, width = (x.shape[i] for i in ((3, 1, 2) if is_last else (1, 2, 3)))
        return channels, height, width
    if x.ndim == 3:
        # Tokens: those of the map come last, in rows that have the proportions of the image.
        height = math.isqrt(round(x.shape[1] * size[0] / size[1]))
        width = round(height * size[1] / size[0])
        if height and 0 <= x.shape[1] - height * width <= _MOST_EXTRA_TOKENS:
            return x.shape[2], height, width
    return None
