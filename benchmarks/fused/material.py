"""The encoder and data of the comparison: MiniLM-L6 and generated sentences."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from tlbench_glue.plugin import tlbench_tasks
from tlbench_hf.plugin import tlbench_backbones
from torch import Tensor

from tlbench.modeling.activations.activation_cache import Activations
from tlbench.modeling.data import Data
from tlbench.modeling.encoder import Encoder


@dataclass(frozen=True)
class Material:
    """An encoder, its data, and its features of them."""

    encoder: Encoder
    data: Data
    features: Tensor
    """(N, D)"""
    targets: Tensor
    """(N,)"""
    activations: Activations

    @classmethod
    def load(cls, device: torch.device, attention: str) -> Material:
        """Returns MiniLM-L6 with the training split of the generated SST-2."""
        task = next(task for task in tlbench_tasks() if task.name == "sst2-lite")
        backbone = next(backbone for backbone in tlbench_backbones() if backbone.name == "minilm-l6")
        examples = task.split("train")
        assert examples is not None
        encoder = backbone.load().to(device)
        encoder.native.set_attn_implementation(attention)
        data, activations = backbone.featurize(examples, task.output), Activations()
        features = activations.features(encoder, data)
        return cls(encoder, data, features, torch.as_tensor(data.targets, device=device), activations)
