"""Images as rows of pixels, with the normalisation of a detector's image processor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tlbench import Examples, Output, UsageError
from tlbench.modeling.image_rows import Normalise, image_data
from tlbench_dense.detr.processor_settings import FILE, processor_settings

if TYPE_CHECKING:
    from PIL.Image import Image

    from tlbench.modeling.data import Data

VERSION = 1
"""Increase this when the same settings produce different pixels; it is part of the cache key."""
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def preparation(folder: Path, side: int) -> dict[str, Any]:
    """Returns size, interpolation, mean and standard deviation of pixels in [0, 1].

    Raises:
        UsageError: The processor's settings are no numbers.
    """
    found = processor_settings(folder)
    normalises = found.get("do_normalize", True)
    try:
        # Processors scale pixels by 1 / 255 before they normalise them, and a few by another factor.
        factor = 255 * float(found.get("rescale_factor", 1 / 255)) if found.get("do_rescale", True) else 255.0
        mean, std = (
            [float(x) / factor for x in (found.get(name, usual) if normalises else plain)]
            for name, usual, plain in (("image_mean", _MEAN, (0.0,) * 3), ("image_std", _STD, (1.0,) * 3))
        )
        resample = int(found.get("resample", 2))
        if len(mean) != 3 or len(std) != 3 or not all(std) or resample not in range(6):
            raise ValueError
    except (TypeError, ValueError):
        raise UsageError(f"{folder / FILE}: its settings are not those of an image") from None
    return {"size": [side, side], "resample": resample, "mean": mean, "std": std}


def featurize(examples: Examples, output: Output, folder: Path, side: int) -> Data:
    """Returns one row of pixels per example.

    Raises:
        PluginError: The inputs are not one image per example.
        DataError: An image cannot be read.
    """
    import PIL
    from PIL import Image as Images

    settings = preparation(folder, side)

    def prepare(image: Image) -> np.ndarray:
        return np.asarray(image.resize((side, side), Images.Resampling(settings["resample"]))).transpose(2, 0, 1)

    return image_data(
        examples,
        output,
        prepare,
        size=(side, side),
        normalise=Normalise(tuple(settings["mean"]), tuple(settings["std"])),
        made=f"detr-{VERSION}:{json.dumps(settings, sort_keys=True)}",
        versions={"pillow": PIL.__version__},
    )
