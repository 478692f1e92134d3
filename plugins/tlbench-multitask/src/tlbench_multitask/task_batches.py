"""Draws the task of each step, and returns the loss of a batch of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from tlbench import Job, OtherTask
from tlbench.modeling.data import moved, to_device
from tlbench.training import augmented, train_batches

if TYPE_CHECKING:
    from tlbench.training import Step
    from tlbench_multitask.joint import MultiTask


class TaskBatches:
    """The batches of the job's own task and of the others, one task at a time."""

    def __init__(self, job: Job, others: Sequence[OtherTask], options: MultiTask) -> None:
        self.heads = [other.new_head() for other in others]
        """A new head for each other task."""
        self._data = [augmented(one.train) if options.augmentation != "none" else one.train for one in others]
        self._targets = []
        for head, other in zip(self.heads, others, strict=True):
            head.prepare(other.train)
            self._targets.append(head.targets(other.train))
        self._batches = [train_batches(data.lengths, options.train_batch_size, job.seed) for data in self._data]
        sizes = np.array([len(job.train), *map(len, self._data)], dtype=float)
        weights = sizes if options.mixing == "proportional" else np.ones_like(sizes)
        self.shares = (weights / weights.sum()).tolist()
        """The probability of each task, the job's own first."""
        # A generator of its own: the loop's batches and dropout stay those of a fit without other tasks.
        self._random = np.random.default_rng(job.seed)
        self.steps = [0] * len(sizes)
        """The number of steps on each task so far, the job's own first; the first is in the fit's notes."""
        self._notes = job.notes

    def loss(self, step: Step) -> Tensor:
        """Returns the loss of the step's own batch or, if another task is drawn, of the next batch of that task."""
        drawn = int(self._random.choice(len(self.shares), p=self.shares))
        self.steps[drawn] += 1
        self._notes["own_task_steps"] = float(self.steps[0])
        if drawn == 0:
            return step.task_loss()
        index, device, encoder = drawn - 1, step.targets.device, step.model.encoder
        rows = next(self._batches[index])
        head, batch = self.heads[index], to_device(self._data[index].serve(rows), device)
        return head.loss(head(encoder, encoder(batch)), moved(self._targets[index][rows], device))
