"""The sequence classifier in a checkpoint, such as that of a model trained on natural language inference."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor, nn

from tlbench import Classifier, PluginError
from tlbench.modeling.data import Batch
from tlbench.modeling.encoder import Encoder
from tlbench_hf.cards import classes_in
from tlbench_hf.foreign_files import read_settings
from tlbench_hf.loading import load_whole
from tlbench_hf.text.text_convention import INPUTS


def checkpoint_classifier(folder: Path, title: str, encoder: Encoder) -> Classifier | None:
    """Returns the classifier of a folder's checkpoint on top of the encoder; None if it has none.

    The classifier's own layers are loaded; what it shares with the encoder is the encoder's.

    Args:
        folder: Contains configuration and weights.
        title: The backbone's name, for messages.
        encoder: An encoder of the same checkpoint, whole.

    Raises:
        PluginError: A tensor of the classifier did not load, or the encoder is not a part of it.
    """
    names = classes_in(read_settings(folder, "config.json"))
    if not names:
        return None
    native = load_whole(folder, title, transformers.AutoModelForSequenceClassification, pretrained=True)
    _share(native, encoder.native, title)
    first = next(encoder.native.parameters())
    native.to(device=first.device, dtype=first.dtype).eval()
    takes = inspect.signature(native.forward).parameters

    def logits(batch: Batch) -> Tensor:
        with torch.no_grad():
            found: Tensor = native(**{name: batch[name] for name in INPUTS if name in takes and name in batch}).logits
        return found

    return Classifier(names, logits)


def _share(native: nn.Module, part: nn.Module, title: str) -> None:
    """Replaces the weights of one of the module's own parts by those of `part`, which has the same architecture."""
    weights = dict(part.named_parameters())
    for module in native.modules():
        own = dict(module.named_parameters())
        if _has_shapes(own, weights):
            for name, weight in weights.items():
                path, _, last = name.rpartition(".")
                module.get_submodule(path)._parameters[last] = weight  # type: ignore[assignment]
            return
    raise PluginError(f"{title}: its classifier {type(native).__name__} does not contain {type(part).__name__}")


def _has_shapes(own: Mapping[str, Any], weights: Mapping[str, Any]) -> bool:
    return all(name in own and own[name].shape == weight.shape for name, weight in weights.items())
