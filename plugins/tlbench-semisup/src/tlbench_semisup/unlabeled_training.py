"""Base class of strategies that train on labelled and unlabelled examples together. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from tlbench_finetune.finetuning.chosen_stages import ChosenStages

from tlbench import Backbone, Classes, Job, PluginError, Resources, Task

if TYPE_CHECKING:
    from tlbench.modeling.data import Data


@dataclass(frozen=True)
class UnlabeledTraining(ChosenStages):
    """Base class of strategies for classes that train all of a backbone, its top stages or the head alone."""

    family: ClassVar[str] = "unlabelled"

    needs_unlabeled: ClassVar[bool] = True
    unlabeled_batch_size: int = 16
    """Unlabelled rows per step."""

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns why a task (its output is not one class) or a backbone (too few stages) is not supported, or None."""
        if not isinstance(task.output, Classes):
            return f"{self.name} guesses the class of an example, and {type(task.output).__name__} has none or several"
        if self.unlabeled_batch_size < 1:
            return "unlabeled_batch_size must be at least 1"
        return super().supports(backbone, task)

    @property
    def rows_per_step(self) -> int:
        """The number of rows that a step holds in memory: a labelled and an unlabelled batch."""
        return self.train_batch_size + self.unlabeled_batch_size

    def resources(self, backbone: Backbone | None, task: Task) -> Resources:
        """Returns the memory of a fit, each of whose steps holds a labelled and an unlabelled batch."""
        both = replace(self, train_batch_size=self.rows_per_step)
        return super(UnlabeledTraining, both).resources(backbone, task)

    def unlabeled(self, job: Job) -> Data:
        """Returns the unlabelled rows of a fit.

        Raises:
            PluginError: There are none.
        """
        data = job.unlabeled()
        if data is None:
            raise PluginError(
                f"{self.name} learns from unlabelled examples too, and {job.task.name} has none: give a train_limit "
                "below the number of its training examples, whose rest becomes unlabelled"
            )
        return data
