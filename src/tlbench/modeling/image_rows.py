"""Provides images as rows: resized once and stored as bytes, normalised when they are batched."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch

from tlbench.contracts.errors import DataError, PluginError
from tlbench.contracts.images.image_file import ImageFile, rgb
from tlbench.contracts.images.opening import check_enlarged
from tlbench.contracts.outputs import Output, Region
from tlbench.contracts.task import Examples
from tlbench.modeling.data import Batch, Data, one_row_each
from tlbench.modeling.disk.disk_cache import cached_arrays

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_MEMORY_BYTES = 1 << 30
"""The maximum size of a data set's pixels in memory; images of a larger data set are read again for each batch."""
MIN_CACHED_IMAGES = 200
"""Data sets of fewer images are not cached on disk, since resizing them again is faster than writing them."""
PATCH = 16
"""Side of a patch in pixels. The length of a row is its number of patches, which are a vision transformer's tokens."""

Prepare: TypeAlias = "Callable[[Image], np.ndarray]"
"""A function that takes an image in RGB and returns (C, H, W) uint8."""


@dataclass(frozen=True)
class LazyImage:
    """An image that is read and prepared each time it is batched."""

    item: Image | ImageFile
    prepare: Prepare
    side: int
    """Longer side of the prepared image."""
    region: Region | None = None
    """The part of the image that is prepared; None for all of it."""

    def pixels(self) -> np.ndarray:
        """Returns the prepared image, (C, H, W) uint8.

        Raises:
            DataError: The image cannot be read, or would be too large once it is enlarged to its prepared size.
        """
        image = rgb(self.item)
        try:
            check_enlarged(image, self.side)
        except DataError as error:
            raise DataError(f"{self.item.path if isinstance(self.item, ImageFile) else 'an image'}: {error}") from error
        return self.prepare(image if self.region is None else image.crop(self.region))


@dataclass(frozen=True)
class Normalise:
    """A collate function for images: scales pixels to [0, 1], then standardises each channel by `mean` and `std`."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, rows: Sequence[np.ndarray | LazyImage]) -> Batch:
        """Returns {"pixel_values": (B, C, H, W) float32}."""
        arrays = [row.pixels() if isinstance(row, LazyImage) else row for row in rows]
        # in place: 512 images, as in an inference batch, take 300 MB
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
    """Returns data whose rows are images of three channels and one size, one per example.

    For an output that reads a map, each of its `regions` of an image is a row, and the alignment of a row is its
    region. `prepare` must then keep the whole of what it is given.

    Args:
        examples: Examples whose input is one image each.
        output: The task's output kind.
        prepare: Resizes and crops an image; called once per image if all fit into memory, else for each batch.
        size: Height and width of the images that `prepare` returns.
        normalise: Collates rows into batches.
        made: All settings of `prepare` and `normalise` as text; it becomes part of fingerprints and cache keys.
        versions: Versions of the libraries that resize, by name; part of cache keys.

    Raises:
        PluginError: An example's input is not one image, or the output kind needs several rows or positions.
        DataError: An image cannot be read.
    """
    if output.reads not in ("example", "map"):
        raise PluginError(f"a backbone for images cannot predict {type(output).__name__}: give it one target per image")
    for example in examples:
        if len(example.inputs) != 1 or isinstance(example.inputs[0], str | tuple):
            raise PluginError(f"a backbone for images takes one image per example: {example.id} has other inputs")
    shape = (3, *size)
    # both divisions round up
    length = -(-size[0] // PATCH) * -(-size[1] // PATCH)
    items = [example.inputs[0] for example in examples]
    owners, regions = list(range(len(examples))), None
    if output.reads == "map":
        # Of files the headers are enough.
        sizes = [item.size if isinstance(item, ImageFile) else rgb(item).size for item in items]
        parts = [(owner, region) for owner in owners for region in output.regions(*sizes[owner])]
        owners, regions = [owner for owner, _ in parts], [region for _, region in parts]
        made = f"{made} regions:{hashlib.sha256(repr(regions).encode()).hexdigest()[:16]}"
    images = [
        LazyImage(items[owner], prepare, max(size), regions[row] if regions else None)
        for row, owner in enumerate(owners)
    ]
    rows: Sequence[np.ndarray | LazyImage]
    if len(images) * 3 * size[0] * size[1] > MAX_MEMORY_BYTES:
        rows = images
    else:

        def make() -> dict[str, np.ndarray]:
            # one array for all, filled in place: a list and its stack would need twice the memory
            pixels = np.empty((len(images), *shape), dtype=np.uint8)
            for i, image in enumerate(images):
                pixels[i] = image.pixels()
            return {"pixels": pixels}

        if len(examples) < MIN_CACHED_IMAGES:
            rows = list(make()["pixels"])
        else:
            key = {"examples": examples.fingerprint, "made": made, **versions}
            rows = list(cached_arrays("images", key, make)["pixels"])
    if regions is None:
        return one_row_each(examples, rows, normalise, [length] * len(images), f"pixels:{made}")
    return Data(
        examples=examples,
        rows=rows,
        collate=normalise,
        lengths=np.full(len(images), length, dtype=np.int64),
        owners=np.asarray(owners, dtype=np.int64),
        fingerprint=f"pixels:{made}:{examples.fingerprint}",
        alignment=[np.asarray(region, dtype=np.int64) for region in regions],
    )
