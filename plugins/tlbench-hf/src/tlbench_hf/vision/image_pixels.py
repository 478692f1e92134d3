"""Featurizes images as pixels with a folder's image processor; calls image models and finds their blocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import transformers
from torch import Tensor, nn

from tlbench import Examples, Output, PluginError, UsageError
from tlbench.modeling.data import Batch, Data
from tlbench.modeling.encoder import Hidden
from tlbench.modeling.image_rows import Normalise, image_data
from tlbench.modeling.stages.staged_encoder import Convention
from tlbench_hf.loading import quiet

if TYPE_CHECKING:
    from PIL.Image import Image

VERSION = 1
"""Increase this when the same settings produce different pixels; it is part of the cache key."""
# Names that families give to the outermost list of blocks or of groups of blocks.
_LISTS = ("layer", "layers", "stages")
_ROWS = 2


@dataclass(frozen=True)
class Processor:
    """A folder's image processor, separated into resizing and normalisation."""

    library: Any
    identity: str
    """All settings of the image processor, as JSON."""
    size: tuple[int, int]
    """Height and width of the processed images in pixels."""
    normalise: Normalise

    def prepare(self, image: Image) -> np.ndarray:
        """Returns the image's pixels, (3, H, W) uint8, before rescaling and normalisation."""
        # uint8 takes a quarter of the memory; rescaling and normalisation happen when a batch is built.
        batch = self.library(images=image, do_rescale=False, do_normalize=False, return_tensors="np")["pixel_values"]
        pixels: np.ndarray = np.asarray(batch[0]).astype(np.uint8)
        return pixels

    def prepare_whole(self, image: Image) -> np.ndarray:
        """Returns the pixels of the whole image, without cropping, each side resized on its own."""
        from PIL import Image as Images

        height, width = self.size
        return np.asarray(image.resize((width, height), Images.Resampling(self.resample))).transpose(2, 0, 1)

    @property
    def resample(self) -> int:
        """Pillow's number of the interpolation; bicubic if the settings have none."""
        from PIL import Image as Images

        resample = getattr(self.library, "resample", None)
        return int(Images.Resampling.BICUBIC if resample is None else resample)


@lru_cache(maxsize=8)
def load_processor(folder: Path) -> Processor:
    """Returns the folder's image processor; the last eight are kept in memory.

    Raises:
        UsageError: The folder has no image processor, or the processor's output size depends on the image.
    """
    from PIL import Image

    try:
        with quiet():
            # PIL is requested, because with torchvision installed the library would choose torchvision, whose pixel
            # values differ by one in places.
            library: Any = transformers.AutoImageProcessor.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False, backend="pil"
            )
            # Images of two aspect ratios are tried: a processor that keeps aspect ratios gives two shapes.
            shapes = {
                library(images=Image.new("RGB", size), return_tensors="np")["pixel_values"].shape[1:]
                for size in ((64, 48), (48, 80))
            }
    except (OSError, ValueError, ImportError, KeyError) as error:
        raise UsageError(f"{folder}: no image processor: {' '.join(str(error).split())[:200]}") from error
    if len(shapes) > 1:
        raise UsageError(
            f"{folder}: its image processor keeps the aspect ratio, so images cannot be batched: give it a fixed size"
        )
    _, height, width = shapes.pop()
    # Pixels reach `Normalise` as v = x / 255, and (v * factor - mean) / std = (v - mean / factor) / (std / factor).
    factor = 255 * (library.rescale_factor if library.do_rescale else 1.0)
    mean, std = (library.image_mean, library.image_std) if library.do_normalize else ((0.0,) * 3, (1.0,) * 3)
    return Processor(
        library,
        identity=library.to_json_string(),
        size=(height, width),
        normalise=Normalise(tuple(m / factor for m in mean), tuple(s / factor for s in std)),
    )


def featurize(examples: Examples, output: Output, folder: Path) -> Data:
    """Returns one row of pixels per example.

    Raises:
        PluginError: The inputs are not one image per example.
        DataError: An image cannot be read.
        UsageError: The folder has no image processor.
    """
    import PIL

    processor = load_processor(folder)
    return image_data(
        examples,
        output,
        processor.prepare_whole if output.reads == "map" else processor.prepare,
        size=processor.size,
        normalise=processor.normalise,
        made=f"transformers-{VERSION}{' whole' if output.reads == 'map' else ''}:{processor.identity}",
        versions={"transformers": transformers.__version__, "pillow": PIL.__version__},
    )


class VisionConvention(Convention):
    """Calls the model on pixels and returns `last_hidden_state`: tokens (B, T, D) or a feature map (B, D, H, W)."""

    def __init__(self, size: tuple[int, int]) -> None:
        """Takes the height and width of the images."""
        self._size = size

    def run(self, native: nn.Module, batch: Batch) -> Tensor:
        """Returns tokens (B, T, D) or a feature map (B, D, H, W)."""
        pixels = batch["pixel_values"].to(next(native.parameters()).dtype)
        output: Tensor = native(pixel_values=pixels).last_hidden_state
        return output

    def sample(self, native: nn.Module) -> Batch:
        """Returns two black images."""
        return self._black(next(native.parameters()).device)

    def standin(self, hidden: Hidden) -> Batch:
        """Returns two black images for any number of rows, because the blocks read only the hidden states."""
        return self._black(hidden.x.device)

    def pooler(self, native: Any) -> Callable[[Tensor], Tensor] | None:
        """Returns the library's own readout, or None for families without a trained one."""
        if native.config.model_type.startswith("convnext"):
            # The model applies it inside forward, out of reach of `last_hidden_state`.
            return lambda x: native.layernorm(x.mean((2, 3)))
        pooler = getattr(native, "pooler", None)
        # A pooler without weights is a plain mean that expects another order of dimensions.
        return None if pooler is None or not any(True for _ in pooler.parameters()) else pooler

    def _black(self, device: torch.device) -> Batch:
        return {"pixel_values": torch.zeros((_ROWS, 3, *self._size), device=device)}


def convention_for(size: tuple[int, int]) -> Callable[[Any], Convention]:
    """Returns a factory of conventions for models that take images of this height and width."""
    return lambda native: VisionConvention(size)


def find_blocks(native: Any, title: str) -> list[str]:
    """Returns the module paths of the blocks in order; in hierarchical models, of the blocks inside the stages.

    Raises:
        PluginError: The model has no list of blocks.
    """
    lists = (path for path, module in native.named_modules() if isinstance(module, nn.ModuleList))
    outer = next((path for path in lists if path.rpartition(".")[2] in _LISTS), None)
    if outer is None:
        raise PluginError(f"{title}: {type(native).__name__} has no list of blocks")
    paths: list[str] = []
    for name, member in native.get_submodule(outer).named_children():
        inner = next((n for n in ("blocks", "layers") if isinstance(getattr(member, n, None), nn.ModuleList)), None)
        paths += (
            [f"{outer}.{name}.{inner}.{i}" for i in range(len(getattr(member, inner)))]
            if inner
            else [f"{outer}.{name}"]
        )
    return paths
