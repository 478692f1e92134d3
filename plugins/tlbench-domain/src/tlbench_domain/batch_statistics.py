"""Statistics of batch normalisations, computed anew from unlabelled data."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn.modules.batchnorm import _BatchNorm

from tlbench import PluginError
from tlbench.modeling.data import Data
from tlbench.modeling.precision import autocast
from tlbench.training import Model
from tlbench.training.model import placed

ROWS = 64
"""Rows per batch; batches have the same number of rows, up to one."""


def mix_statistics(model: Model, data: Data, prior: int, precision: str) -> None:
    """Replaces means and variances by prior/(prior+n) times themselves plus n/(prior+n) times those of the data.

    Those of the data are means over its batches, each of which is normalised by its own.

    Args:
        model: The model, which is in eval mode afterwards.
        data: The n rows.
        prior: The number of rows that the present statistics count as.
        precision: The resolved precision to compute in.

    Raises:
        PluginError: The model has no batch normalisations, or there are fewer than two rows.
    """
    layers = [m for m in model.encoder.modules() if isinstance(m, _BatchNorm) and m.running_mean is not None]
    if not layers or len(data) < 2:
        lack = f"{type(model.encoder.native).__name__} has no batch normalisation" if not layers else "there is one row"
        raise PluginError(f"statistics of the target cannot be computed: {lack}")
    before = [(layer.running_mean.clone(), layer.running_var.clone(), layer.momentum) for layer in layers]
    model.eval()
    for layer in layers:
        layer.reset_running_stats()
        # None is torch's sign for the mean over all batches.
        layer.momentum = None
        layer.train()
    parts = np.array_split(np.arange(len(data)), -(-len(data) // ROWS))
    with torch.no_grad(), autocast(model.device, precision):
        for rows in parts:
            model.encoder(placed(data.batch(rows.tolist()), model.device))
    share = prior / (prior + len(data))
    for layer, (mean, variance, momentum) in zip(layers, before, strict=True):
        layer.running_mean.lerp_(mean, share)
        layer.running_var.lerp_(variance, share)
        layer.momentum = momentum
        layer.eval()
