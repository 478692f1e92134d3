"""The backbone of a detector of transformers as an encoder of one stage, whose output is its maps."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import save_file
from tlbench_hf.loading import load_config, quiet
from torch import Tensor, nn

from tlbench import PluginError, UsageError
from tlbench.contracts.exports.forms import Exportable, ExportedFiles, MapsModel
from tlbench.modeling.data import Batch
from tlbench.modeling.encoder import Encoder, Hidden, Stage
from tlbench_dense.detr.detr_rows import preparation
from tlbench_dense.standalone import detr_encoder_script
from tlbench_dense.standalone.detr_network import flattened

_ROWS = 2
_CLASS_LAYERS = ("class", "score_head")
"""Parts of the names of layers whose size depends on the number of classes."""


class DetrFeatures(Encoder):
    """The maps of a detector's backbone as one vector per image."""

    gives_own_maps = True

    def __init__(self, native: nn.Module, side: int, identity: str) -> None:
        """Takes a detector's backbone, and the side of images."""
        super().__init__()
        self.native, self.side, self.identity = native, side, identity
        self.training, self.readout = native.training, "mean"
        with torch.no_grad():
            features = native(*self._inputs(self.sample()["pixel_values"]))
        self.shapes: list[tuple[int, ...]] = [tuple(x.shape[1:]) for x, _ in features]
        """Channels, height and width of each map."""
        self.width = self.shapes[-1][0]

    @property
    def stages(self) -> Sequence[Stage]:
        """The whole backbone."""
        return [Stage("backbone", tuple(name for name, _ in self.native.named_parameters()))]

    def forward(self, batch: Batch | Hidden, start: int = 0, stop: int | None = None) -> Hidden:
        """Returns the maps as one vector per row, (B, N).

        Raises:
            ValueError: start or stop is out of range, or the input is not that of the stage.
        """
        if not 0 <= start <= (1 if stop is None else stop) <= 1 or stop == 0:
            raise ValueError(f"no stages {start} to {stop}: this encoder has 1")
        if isinstance(batch, Hidden):
            if start == 0:
                raise ValueError("stage 0 needs a batch, not the Hidden that an earlier stage put out")
            return batch
        if start:
            raise ValueError("stages after the first need the Hidden that an earlier stage put out")
        return Hidden(flattened(self.native(*self._inputs(batch["pixel_values"]))))

    def pool(self, hidden: Hidden) -> Tensor:
        """Returns the mean over the last map, (B, width)."""
        channels, height, width = self.shapes[-1]
        return hidden.x[:, -channels * height * width :].reshape(-1, channels, height * width).mean(2)

    def sample(self) -> Batch:
        """Returns two black images."""
        return {"pixel_values": torch.zeros((_ROWS, 3, self.side, self.side), device=self.device)}

    def _inputs(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        pixels = pixels.to(next(self.native.parameters()).dtype)
        return pixels, pixels.new_ones((len(pixels), *pixels.shape[-2:]))


def load_features(folder: Path, title: str, side: int, content: str | None) -> DetrFeatures:
    """Returns the backbone of a folder's detector; `content` identifies the weights, and is None for random ones.

    Raises:
        UsageError: The model cannot be used, or not with images of this size.
        PluginError: A tensor did not load.
    """
    native = load_detector(folder, title, None, pretrained=content is not None).model.backbone
    native.requires_grad_(True).eval()
    weights = f"detr:{content}" if content else f"random-{uuid.uuid4().hex}"
    try:
        return DetrFeatures(native, side, f"{weights}#{side}x{side}")
    # A backbone may raise any exception for an image size that it does not support.
    except Exception as error:
        raise UsageError(f"{title}: does not run on images of {side}x{side}: {_one_line(error)}") from error


def load_detector(folder: Path, title: str, classes: int | None, *, pretrained: bool) -> Any:
    """Returns a folder's detector, with new layers for classes if their number is another one.

    Args:
        folder: Contains config.json and safetensors weights.
        title: The backbone's name, for messages.
        classes: Number of classes; None for those of the checkpoint.
        pretrained: Whether to load weights.

    Raises:
        UsageError: The model cannot be used.
        PluginError: A tensor other than those of classes did not load.
    """
    config, auto = load_config(folder, title), transformers.AutoModelForObjectDetection
    if classes is not None:
        config.num_labels = classes
    # Nothing but the folder is read, whatever its settings name.
    if hasattr(config, "use_pretrained_backbone"):
        config.use_pretrained_backbone = False
    with quiet():
        if not pretrained:
            return auto.from_config(config, dtype=torch.float32, trust_remote_code=False)
        try:
            native, report = auto.from_pretrained(
                folder, config=config, dtype=torch.float32, local_files_only=True, trust_remote_code=False,
                use_safetensors=True, output_loading_info=True, ignore_mismatched_sizes=True,
            )  # fmt: skip
        except OSError as error:
            raise UsageError(f"{title}: {_one_line(error)}") from error
        except (RuntimeError, ValueError) as error:
            raise PluginError(f"{title}: the weights do not fit the model: {_one_line(error)}") from error
    mismatched = [key[0] if isinstance(key, tuple) else str(key) for key in report["mismatched_keys"]]
    lost = sorted({*report["missing_keys"], *(key for key in mismatched if not _is_of_classes(key))})
    if lost:
        raise PluginError(f"{title}: tensors are missing from the checkpoint or have another shape: {lost[0]}")
    return native


def export_features(model: Exportable, source: Path, side: int, folder: Path, title: str) -> ExportedFiles:
    """Writes the backbone of a fitted detector.

    Raises:
        UsageError: The model is no detector of this plugin, or a strategy put layers into it.
    """
    if not isinstance(model, MapsModel) or not isinstance(model.encoder, DetrFeatures):
        raise UsageError(f"{title}: only detectors on its own maps can be exported")
    weights = model.encoder.cpu().float().native.state_dict()
    config = load_config(source, title)
    plain = transformers.AutoModelForObjectDetection.from_config(config, trust_remote_code=False).model.backbone
    if added := sorted(weights.keys() - plain.state_dict().keys()):
        raise UsageError(f"{title}: the strategy put layers into the backbone that it does not have: {added[0]}")
    save_file({name: tensor.contiguous().clone() for name, tensor in weights.items()}, folder / "model.safetensors")
    settings = {"config": config.to_dict(), **preparation(source, side)}
    loading = "# the backbone and the transformer of a detector, apart: predict.py joins them"
    needed = ("pillow", "torch", "transformers")
    return ExportedFiles(Path(detr_encoder_script.__file__), settings, False, "transformers", loading, needed)


def _is_of_classes(name: str) -> bool:
    return any(part in name for part in _CLASS_LAYERS)


def _one_line(error: object) -> str:
    return " ".join(str(error).split())[:300]
