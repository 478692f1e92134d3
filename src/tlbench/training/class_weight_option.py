"""The option `class_weight` of all strategies that train on classes: its values, and which tasks it applies to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tlbench.contracts.backbone import Backbone
from tlbench.contracts.outputs import Output
from tlbench.contracts.strategy import Strategy
from tlbench.contracts.task import Task


@dataclass(frozen=True, kw_only=True)
class ClassWeighted(Strategy):
    """Base class of strategies whose loss can weigh classes inversely to their frequency in the training data.

    With `class_weight=balanced`, the loss of class k has the weight n / (K * n_k), as in scikit-learn, and the mean
    loss is the weighted mean, as in torch (King & Zeng 2001, Logistic Regression in Rare Events Data). It is an option
    and not searched: a suite compares `linear-probe` with `linear-probe[class_weight=balanced]`.
    """

    class_weight: Literal["balanced"] | None = None
    """Weights of the classes in the loss: equal if None, else inverse to their frequency."""

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns the reason why a task is not supported (it has no classes that weights could apply to), or None."""
        if self.class_weight is None or has_one_class(task.output):
            return None
        return f"class_weight needs one class per example or word; {type(task.output).__name__} has none or several"


def has_one_class(output: Output) -> bool:
    """Returns whether each example, or each word, has exactly one of several classes."""
    # Decided by the contract's properties, not by type, so that outputs of other plugins count too.
    return bool(output.classes) and ((output.answers == "numbers" and output.whole) or output.answers == "tags")
