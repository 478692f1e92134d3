"""A plugin that logs its fits, and whose data and faults are set by environment variables."""

import os
from dataclasses import dataclass

from tlbench.catalog.hookspecs import hookimpl
from tlbench.contracts.space import Choice, Int
from tlbench.running.executors.time_alarm import Alarm
from tlbench.testing.toys import ToyFit, ToyTask


def note(job):
    with open(os.environ["TLBENCH_TEST_FITS"], "a") as file:
        file.write(f"{job.seed} {sorted(job.params.items())}\n")


@dataclass(frozen=True)
class Counting(ToyFit):
    """Logs each fit."""

    name = "counting"

    def fit(self, job):
        note(job)
        if os.environ.get("TLBENCH_TEST_FAILS") == str(job.seed):
            raise RuntimeError("this seed fails")
        if os.environ.get("TLBENCH_TEST_TOO_LONG") == str(job.seed):
            raise Alarm  # as the alarm does
        return ToyFit.fit(self, job)


@dataclass(frozen=True)
class Together(ToyFit):
    """Logs each fit of a pass."""

    name = "together"
    batch_size = 8

    def fit(self, job):
        note(job)
        return ToyFit.fit(self, job)


@dataclass(frozen=True)
class Six(Counting):
    """Has six settings."""

    name = "six"

    def space(self, about):
        return {"lr": Choice((0.01, 0.02, 0.1)), "steps": Int(4, 5)}


@dataclass(frozen=True)
class SixTogether(Six):
    """Fits up to four of six settings in one pass."""

    name = "six-together"
    batch_size = 4


@dataclass(frozen=True)
class Changing(ToyTask):
    """A task whose data depend on an environment variable."""

    name = "changing"

    def split(self, name):
        split = os.environ.get("TLBENCH_TEST_CHANGED")
        return ToyTask(draw=7).split(name) if split == name else super().split(name)


@hookimpl
def tlbench_strategies():
    return [Counting(), Together(), Six(), SixTogether()]


@hookimpl
def tlbench_tasks():
    return [Changing()]
