"""Images to rows of pixels, by timm's own transform for evaluation."""

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
"""Raise it when the same settings' rows change."""


def featurize(examples: Examples, output: Output, config: Mapping[str, Any]) -> Data:
    """Returns one row of pixels for each example.

    Args:
        examples: Of one image each.
        output: What is asked of them.
        config: What timm's `create_transform` takes.

    Raises:
        PluginError: Inputs that are not one image.
        DataError: An image that cannot be read.
    """
    import PIL
    import timm
    import torchvision

    # With the prefetcher's transform pixels stay bytes, and are normalised when a batch is made.
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
        versions={"timm": timm.__version__, "torchvision": torchvision.__version__, "pillow": PIL.__version__},
    )
