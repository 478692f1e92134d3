"""A plugin with metrics that uses public names only; loaded by the tests of plugin metrics."""

from __future__ import annotations

from dataclasses import dataclass

from tlbench import Classes, Example, Examples, Metric, Scalar, Task, hookimpl


class WithinHalf(Metric):
    name = "within_half"
    label = "within 0.5"
    outputs = (Scalar,)
    citation = "The share of predictions that are at most 0.5 off."

    def statistics(self, scored):
        import numpy as np

        hit = np.abs(scored.values - scored.targets) <= 0.5
        return np.stack([hit, np.ones(len(hit), dtype=bool)], axis=1)

    def value(self, sums):
        return sums[..., 0] / sums[..., 1]


@dataclass(frozen=True)
class Cost(Metric):
    """The cost of the most frequent kind of mistake: lower is better, in its own unit, and not a function of sums."""

    name: str = "cost"
    label: str = "cost"
    outputs: tuple[type, ...] = (Classes,)
    citation: str = "The largest number of mistakes of one kind, in euros."
    greater_is_better: bool = False
    highest: float | None = None
    worst: float | None = None
    in_points: bool = False
    euros: float = 2.5

    def resampler(self, scored):
        import numpy as np

        wrong = scored.targets != scored.values
        kinds = np.unique(scored.targets)

        def resampled(weights):
            counts = [(weights * (wrong & (scored.targets == kind))).sum(axis=1) for kind in kinds]
            return self.euros * np.max(counts, axis=0) / weights.sum(axis=1)

        return resampled


class Tone(Task):
    name = "priced-tone"
    modality = "text"
    output = Classes(("low", "high"))
    metrics = ("cost", "accuracy")

    def split(self, name):
        if name not in {"train", "validation", "test"}:
            return None
        words = ("soft", "quiet"), ("loud", "shrill")
        count = {"train": 24, "validation": 16, "test": 20}[name]
        return Examples(
            Example(f"{name}-{i}", (f"{words[i % 3 == 0][i % 2]} {name} {i}",), int(i % 3 == 0)) for i in range(count)
        )


@hookimpl
def tlbench_metrics():
    return [WithinHalf(), Cost()]


@hookimpl
def tlbench_tasks():
    return [Tone()]
