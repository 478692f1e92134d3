"""Metrics with one fault each, and tasks scored by them; loaded as a plugin by tests."""

from __future__ import annotations

import numpy as np

from tests.metrics.third_party import Tone
from tlbench import Classes, Metric, hookimpl


class Hits(Metric):
    """Accuracy, the base class of the faulty metrics."""

    name = "hits"
    label = "hits"
    outputs = (Classes,)
    citation = "The share of examples whose class is right."

    def statistics(self, scored):
        hit = scored.targets == scored.values
        return np.stack([hit, np.ones(len(hit), dtype=bool)], axis=1)

    def value(self, sums):
        return sums[..., 0] / sums[..., 1]


class Undefined(Hits):
    """Returns NaN on the test split, but not on the smaller validation split."""

    name = "undefined"
    worst = None
    largest = 16

    def value(self, sums):
        return np.where(sums[..., 1] > self.largest, np.nan, super().value(sums))


class UndefinedEverywhere(Undefined):
    name = "undefined_everywhere"
    largest = 0


class UndefinedOnFew(Hits):
    """Returns infinity on a slice."""

    name = "undefined_on_few"
    worst = None

    def value(self, sums):
        return np.where(sums[..., 1] < 12, np.inf, super().value(sums))


class Raising(Hits):
    name = "raising"

    def statistics(self, scored):
        if len(scored) > 16:
            # With a line break, which the one-line message has to remove.
            raise ZeroDivisionError("no such\nclass")
        return super().statistics(scored)


class Exiting(Raising):
    name = "exiting"

    def statistics(self, scored):
        raise SystemExit(3)


METRICS = (Hits(), Undefined(), UndefinedEverywhere(), UndefinedOnFew(), Raising(), Exiting())


def task(*metrics):
    """Returns a task of 24, 16 and 20 examples that is scored by these metrics, the first being primary."""
    spoilt = type("Spoilt", (Tone,), {"name": f"by-{'-'.join(metrics)}", "metrics": metrics, "slices": ("size",)})

    def split(self, name):
        from dataclasses import replace

        from tlbench import Examples

        rows = Tone.split(self, name)
        if rows is None:
            return None
        return Examples(replace(row, slices={"size": "few" if i < 4 else "many"}) for i, row in enumerate(rows))

    spoilt.split = split
    return spoilt()


TASKS = (
    task("undefined"),
    task("undefined_everywhere"),
    task("raising"),
    task("exiting"),
    task("hits", "undefined", "raising", "exiting"),
    task("undefined_on_few", "hits"),
)


@hookimpl
def tlbench_metrics():
    return list(METRICS)


@hookimpl
def tlbench_tasks():
    return list(TASKS)
