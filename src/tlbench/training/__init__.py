"""A library for strategies: a training loop, parameter groups, batches, and heads that are trained together.

The core never calls it: a strategy owns its fit and may use any part of this library, or none.
"""

from tlbench.modeling.batches import inference_batches
from tlbench.modeling.heads.class_weights import ClassWeight, balanced_weights
from tlbench.training.axes import Linear
from tlbench.training.fused import (
    Regression,
    logistic_regressions,
    ridge_regressions,
    solve_labels,
    solve_logistic,
    solve_ridge,
)
from tlbench.training.loop import step_count, train
from tlbench.training.model import Model
from tlbench.training.model_predictor import ModelPredictor
from tlbench.training.parameters import Group, freeze, groups_of, layer_decayed
from tlbench.training.stacked import HeadSetting, Layers, train_heads
from tlbench.training.steps import AfterStep, Loss, NewOptimizer, Step
from tlbench.training.training_batches import train_batches

__all__ = [
    "AfterStep",
    "ClassWeight",
    "Group",
    "HeadSetting",
    "Layers",
    "Linear",
    "Loss",
    "Model",
    "ModelPredictor",
    "NewOptimizer",
    "Regression",
    "Step",
    "balanced_weights",
    "freeze",
    "groups_of",
    "inference_batches",
    "layer_decayed",
    "logistic_regressions",
    "ridge_regressions",
    "solve_labels",
    "solve_logistic",
    "solve_ridge",
    "step_count",
    "train",
    "train_batches",
    "train_heads",
]
