"""A library for strategies: a training loop, parameter groups, batches, and many linear heads at once.

The core never calls it: a strategy owns its fit.
"""

from tlbench.modeling.batches import inference_batches
from tlbench.training.batches import train_batches
from tlbench.training.fused import Linear, logistic_regressions, ridge_regressions
from tlbench.training.loop import Model, ModelPredictor, train
from tlbench.training.parameters import Group, freeze, groups_of, layer_decayed

__all__ = [
    "Group",
    "Linear",
    "Model",
    "ModelPredictor",
    "freeze",
    "groups_of",
    "inference_batches",
    "layer_decayed",
    "logistic_regressions",
    "ridge_regressions",
    "train",
    "train_batches",
]
