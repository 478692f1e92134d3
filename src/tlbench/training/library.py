"""Everything that `tlbench.training` offers and that needs torch, imported when the first of it is asked for."""

from tlbench.modeling.batches import inference_batches
from tlbench.modeling.heads.balanced_weights import ClassWeight, balanced_weights
from tlbench.training.auxiliary_fit import other_task_job, teacher_job
from tlbench.training.loop import DEFAULT_EPOCHS, step_count, train
from tlbench.training.model import Model
from tlbench.training.model_predictor import ModelPredictor
from tlbench.training.parameters import Group, freeze, groups_of, layer_decayed
from tlbench.training.probes.axes import Linear, Scale
from tlbench.training.probes.fused import (
    Regression,
    logistic_regressions,
    ridge_regressions,
    solve_labels,
    solve_logistic,
    solve_ridge,
)
from tlbench.training.probes.scalar_mix import scalar_mixes
from tlbench.training.probes.stacked import HeadSetting, Layers, train_heads
from tlbench.training.recipe.augmentation import PIXELS, altered_images, augmented
from tlbench.training.recipe.dropout import dropout
from tlbench.training.recipe.early_stopping import EarlyStopping, split_for_stopping
from tlbench.training.recipe.mixup import mixup
from tlbench.training.recipe.schedules import Schedule
from tlbench.training.steps import AfterStep, Loss, NewOptimizer, Step
from tlbench.training.training_batches import train_batches

__all__ = [
    "DEFAULT_EPOCHS",
    "PIXELS",
    "AfterStep",
    "ClassWeight",
    "EarlyStopping",
    "Group",
    "HeadSetting",
    "Layers",
    "Linear",
    "Loss",
    "Model",
    "ModelPredictor",
    "NewOptimizer",
    "Regression",
    "Scale",
    "Schedule",
    "Step",
    "altered_images",
    "augmented",
    "balanced_weights",
    "dropout",
    "freeze",
    "groups_of",
    "inference_batches",
    "layer_decayed",
    "logistic_regressions",
    "mixup",
    "other_task_job",
    "ridge_regressions",
    "scalar_mixes",
    "solve_labels",
    "solve_logistic",
    "solve_ridge",
    "split_for_stopping",
    "step_count",
    "teacher_job",
    "train",
    "train_batches",
    "train_heads",
]
