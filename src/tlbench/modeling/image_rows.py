"""Images as rows: resized once and kept as bytes, normalised when a batch is made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch

from tlbench.contracts.errors import PluginError
from tlbench.contracts.outputs import Output
from tlbench.contracts.task import Examples, ImageFile, rgb
from tlbench.modeling.data import Batch, Data, one_row_each
from tlbench.modeling.disk.disk_cache import kept_arrays

if TYPE_CHECKING:
    from PIL.Image import Image

HELD_BYTES = 1 << 30
"""Images that together take more are read anew for each batch."""
WORTH_KEEPING = 200
"""Fewer images are resized faster than a file is written."""
PATCH = 16
"""A row counts as many tokens as it has patches of this many pixels a side."""

Prepare: TypeAlias = "Callable[[Image], np.ndarray]"
"""Takes an image in RGB; returns (C, H, W) uint8."""


@dataclass(frozen=True)
class Unread:
    """An image that is read when a batch is made of it."""

    item: Image | ImageFile
    prepare: Prepare

    def pixels(self) -> np.ndarray:
        """Returns (C, H, W) uint8; raises as `ImageFile.open`."""
        return self.prepare(rgb(self.item))


@dataclass(frozen=True)
class Normalise:
    """Makes a batch of rows: pixels from 0 to 1, less the mean, over the standard deviation of each channel."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, rows: Sequence[np.ndarray | Unread]) -> Batch:
        """Returns {"pixel_values": (B, C, H, W) float32}."""
        arrays = [row.pixels() if isinstance(row, Unread) else row for row in rows]
        pixels = torch.from_numpy(np.stack(arrays)).to(torch.float32).div_(255)
        mean, std = (torch.tensor(each, dtype=torch.float32).view(-1, 1, 1) for each in (self.mean, self.std))
        return {"pixel_values": pixels.sub_(mean).div_(std)}


def image_data(
    examples: Examples,
    output: Output,
    prepare: Prepare,
    *,
    size: tuple[int, int],
    normalise: Normalise,
    made: str,
    versions: Mapping[str, str],
) -> Data:
    """Returns one row for each example, an image of three channels and one size.

    Args:
        examples: Of one image each.
        output: What is asked of them.
        prepare: Resizes and crops; called once for each image, unless they are too many to be held.
        size: Height and width of what it returns.
        normalise: Makes batches of the rows.
        made: Says all that `prepare` and `normalise` depend on, but for versions of libraries.
        versions: Of the libraries that do the work.

    Raises:
        PluginError: Inputs that are not one image, or an output that needs more than one row each.
        DataError: An image that cannot be read.
    """
    if output.reads != "example":
        raise PluginError(f"an image has no answer of the kind {type(output).__name__}")
    for example in examples:
        if len(example.inputs) != 1 or isinstance(example.inputs[0], str | tuple):
            raise PluginError(f"a backbone for images takes one image for each example, which {example.id} is not")
    shape = (3, *size)
    length = -(-size[0] // PATCH) * -(-size[1] // PATCH)
    rows: Sequence[np.ndarray | Unread]
    if len(examples) * 3 * size[0] * size[1] > HELD_BYTES:
        rows = [Unread(example.inputs[0], prepare) for example in examples]
    else:

        def make() -> dict[str, np.ndarray]:
            pixels = np.empty((len(examples), *shape), dtype=np.uint8)
            for i, example in enumerate(examples):
                pixels[i] = prepare(rgb(example.inputs[0]))
            return {"pixels": pixels}

        if len(examples) < WORTH_KEEPING:
            rows = list(make()["pixels"])
        else:
            key = {"examples": examples.fingerprint, "made": made, **versions}
            rows = list(kept_arrays("images", key, make)["pixels"])
    return one_row_each(examples, rows, normalise, [length] * len(examples), f"pixels:{made}")
