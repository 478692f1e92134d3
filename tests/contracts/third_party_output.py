"""A kind of output as a third party would publish it, with public names alone; loaded as a plugin by its tests.

Ordered classes, such as grades: learnt by a threshold for each step between two of them (Cao et al. 2020,
arXiv:1901.07884, CORAL), and scored by how many steps an answer is off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tlbench import Example, Examples, Metric, Output, Predictions, Task, hookimpl


@dataclass(frozen=True)
class Ordinal(Output):
    names: tuple[str, ...]

    kind: ClassVar[str] = "ordinal"
    answers: ClassVar[str] = "numbers"
    whole: ClassVar[bool] = True

    @property
    def classes(self):
        return self.names

    def target_error(self, example):
        fits = isinstance(example.target, int) and 0 <= example.target < len(self.names)
        return None if fits else f"{example.target!r} is no grade"

    def class_indices(self, target):
        return {target}

    def head(self, encoder):
        return _head_class()(encoder.width, len(self.names))


def _head_class():
    import numpy as np
    import torch
    from torch import nn

    from tlbench.modeling.heads import Head, Outputs

    class OrdinalHead(Head):
        def __init__(self, width, count):
            super().__init__()
            self.score = nn.Linear(width, 1, bias=False)
            self.thresholds = nn.Parameter(torch.linspace(1, -1, count - 1))

        def forward(self, encoder, hidden):
            return self.score(encoder.pool(hidden)) + self.thresholds

        def loss(self, logits, targets):
            beyond = (targets[:, None] > torch.arange(logits.shape[1])).float()
            return nn.functional.binary_cross_entropy_with_logits(logits.float(), beyond)

        def outputs(self, logits):
            return Outputs((logits > 0).sum(-1).cpu())

        def merge(self, outputs, data):
            return Predictions(data.ids, torch.cat([one.values for one in outputs]).numpy())

        def targets(self, data):
            return torch.from_numpy(np.asarray(data.targets, dtype=np.int64))

    return OrdinalHead


class StepsOff(Metric):
    name = "steps_off"
    label = "steps off"
    outputs = (Ordinal,)
    citation = "The mean number of grades that an answer is off."
    greater_is_better = False
    highest = None
    worst = None
    in_points = False

    def statistics(self, scored):
        import numpy as np

        return np.stack([np.abs(scored.targets - scored.values), np.ones(len(scored), dtype=np.int64)], axis=1)

    def value(self, sums):
        return sums[..., 0] / sums[..., 1]


class Grades(Task):
    name = "grades"
    modality = "text"
    output = Ordinal(("poor", "fair", "good", "fine"))
    metrics = ("steps_off",)

    def split(self, name):
        counts = {"train": 48, "validation": 24, "test": 32}
        if name not in counts:
            return None
        words = ("bad bad", "bad so", "so nice", "nice nice")
        return Examples(Example(f"{name}-{i}", (f"{words[i % 4]} {name} {i}",), i % 4) for i in range(counts[name]))


@hookimpl
def tlbench_tasks():
    return [Grades()]


@hookimpl
def tlbench_metrics():
    return [StepsOff()]
