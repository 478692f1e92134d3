"""Turns images into rows of pixels with timm's evaluation transform."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tlbench import Examples, Output
from tlbench.modeling.image_rows import Normalise, image_data

if TYPE_CHECKING:
    from PIL.Image import Image

    from tlbench.modeling.data import Data

VERSION = 1
"""Increase this when the same settings produce different pixels; it is part of the cache key."""
WHOLE: Mapping[str, Any] = {"crop_pct": 1.0, "crop_mode": "squash"}
"""Settings for outputs that read a map: what lies outside of a crop could not be predicted, and one size makes all maps
alike."""


def featurize(examples: Examples, output: Output, config: Mapping[str, Any]) -> Data:
    """Returns one row of pixels per example.

    Args:
        examples: Examples of one image each.
        output: The task's output kind.
        config: Arguments of timm's `create_transform`.

    Raises:
        PluginError: The inputs are not one image per example.
        DataError: An image cannot be read.
    """
    import PIL
    import timm
    import torchvision

    # timm's prefetcher variant returns uint8, a quarter of the memory; pixels are normalised when a batch is built.
    if output.reads == "map":
        config = {**config, **WHOLE}
    transform: Any = timm.data.create_transform(**config, is_training=False, use_prefetcher=True)

    def prepare(image: Image) -> np.ndarray:
        pixels: np.ndarray = transform(image).numpy()
        return pixels

    return image_data(
        examples,
        output,
        prepare,
        size=config["input_size"][1:],
        normalise=Normalise(tuple(config["mean"]), tuple(config["std"])),
        made=json.dumps({**config, "timm": VERSION}, sort_keys=True),
        # Resizing differs in the last bit between releases, so cached pixels are keyed by them.
        versions={"timm": timm.__version__, "torchvision": torchvision.__version__, "pillow": PIL.__version__},
    )
