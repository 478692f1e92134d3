"""Images to rows of pixels by a folder's image processor, and how image models of transformers are called and cut."""

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
"""Raise it when the same processor's rows change."""
_LISTS = ("layer", "layers", "stages")
_ROWS = 2


@dataclass(frozen=True)
class Processor:
    """A folder's image processor, taken apart: what makes pixels of an image, and what norms them."""

    library: Any
    identity: str
    """All that it was set to."""
    size: tuple[int, int]
    """Height and width of what it makes."""
    normalise: Normalise

    def prepare(self, image: Image) -> np.ndarray:
        """Returns (3, H, W) uint8."""
        # Bytes are kept until a batch is made; the rest of the library's work is `normalise`.
        made = self.library(images=image, do_rescale=False, do_normalize=False, return_tensors="np")["pixel_values"]
        pixels: np.ndarray = np.asarray(made[0]).astype(np.uint8)
        return pixels


@lru_cache(maxsize=8)
def load_processor(folder: Path) -> Processor:
    """Returns the image processor in a folder; each is loaded once a process.

    Raises:
        UsageError: There is none, or one that does not make images of one size.
    """
    from PIL import Image

    try:
        with quiet():
            # Named, or it would be torchvision's where that is installed, whose pixels differ by one here and there.
            library: Any = transformers.AutoImageProcessor.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False, backend="pil"
            )
            shapes = {
                library(images=Image.new("RGB", size), return_tensors="np")["pixel_values"].shape[1:]
                for size in ((64, 48), (48, 80))
            }
    except (OSError, ValueError, ImportError, KeyError) as error:
        raise UsageError(f"{folder}: no image processor: {' '.join(str(error).split())[:200]}") from error
    if len(shapes) > 1:
        raise UsageError(
            f"{folder}: its image processor makes images of several sizes, which cannot stand in one batch"
        )
    _, height, width = shapes.pop()
    factor = 255 * (library.rescale_factor if library.do_rescale else 1.0)
    mean, std = (library.image_mean, library.image_std) if library.do_normalize else ((0.0,) * 3, (1.0,) * 3)
    return Processor(
        library,
        identity=library.to_json_string(),
        size=(height, width),
        normalise=Normalise(tuple(m / factor for m in mean), tuple(s / factor for s in std)),
    )


def featurize(examples: Examples, output: Output, folder: Path) -> Data:
    """Returns one row of pixels for each example.

    Raises:
        PluginError: Inputs that are not one image.
        DataError: An image that cannot be read.
        UsageError: The folder has no image processor.
    """
    import PIL

    processor = load_processor(folder)
    return image_data(
        examples,
        output,
        processor.prepare,
        size=processor.size,
        normalise=processor.normalise,
        made=f"transformers-{VERSION}:{processor.identity}",
        versions={"transformers": transformers.__version__, "pillow": PIL.__version__},
    )


class VisionConvention(Convention):
    """Pixels in, `last_hidden_state` out: tokens (B, T, D), or a feature map (B, D, H, W)."""

    def __init__(self, size: tuple[int, int]) -> None:
        """Takes height and width of the images."""
        self._size = size

    def run(self, native: nn.Module, batch: Batch) -> Tensor:
        """Returns tokens or a feature map."""
        pixels = batch["pixel_values"].to(next(native.parameters()).dtype)
        output: Tensor = native(pixel_values=pixels).last_hidden_state
        return output

    def sample(self, native: nn.Module) -> Batch:
        """Returns two black images."""
        return self._black(next(native.parameters()).device)

    def standin(self, hidden: Hidden) -> Batch:
        """Returns two black images, however many rows there are: no block reads more than what stands before it."""
        return self._black(hidden.x.device)

    def pooler(self, native: Any) -> Callable[[Tensor], Tensor] | None:
        """Returns the library's own readout of the families that have one."""
        if native.config.model_type.startswith("convnext"):
            return lambda x: native.layernorm(x.mean((2, 3)))
        pooler = getattr(native, "pooler", None)
        # Without weights it is a mean, and wants another order of dimensions.
        return None if pooler is None or not any(True for _ in pooler.parameters()) else pooler

    def _black(self, device: torch.device) -> Batch:
        return {"pixel_values": torch.zeros((_ROWS, 3, *self._size), device=device)}


def convention_for(size: tuple[int, int]) -> Callable[[Any], Convention]:
    """Returns what makes the convention of a model that takes images of this height and width."""
    return lambda native: VisionConvention(size)


def find_blocks(native: Any, title: str) -> list[str]:
    """Returns the paths of the modules that are blocks, in order; where there are stages, of the blocks in them.

    Raises:
        PluginError: There is no list of blocks.
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
