"""Strategies that divide their batches among devices, and faults of one of these."""

import os
import signal
import time
from dataclasses import dataclass
from typing import ClassVar

from tlbench.catalog.hookspecs import hookimpl
from tlbench.contracts.space import Choice
from tlbench.training import GradientStrategy

FAULT = "TLBENCH_TEST_DEVICE_FAULT"
"""Environment variable: what the second device does after the third step."""
PIDS = "TLBENCH_TEST_DEVICE_PIDS"
"""Environment variable: the file to which each device appends its pid when it begins a fit."""


@dataclass(frozen=True)
class Dividing(GradientStrategy):
    """Full fine-tuning in fp64, in which another order of additions changes nothing above 1e-10."""

    name: ClassVar[str] = "dividing"
    # Dropout draws another mask for each part of a batch.
    dropout: float | None = 0.0

    def space(self, about):
        return {"lr": Choice((0.01, 0.02))}

    def defaults(self, about):
        return {"lr": 0.01}

    def model(self, job):
        note_pid()
        model = super().model(job)
        return model.double()


@dataclass(frozen=True)
class Faulty(Dividing):
    """Has a fault on the second device."""

    name: ClassVar[str] = "dividing-faulty"

    def after_step(self, model, job):
        def hook(step):
            if job.device_group.rank == 1 and step.number == 3:
                fault()

        return hook


@dataclass(frozen=True)
class Coupled(Dividing):
    """Has a loss that may see all rows of a batch together, and does not say so."""

    name: ClassVar[str] = "dividing-coupled"

    def penalized(self, loss, model):
        return lambda step: step.task_loss()


def note_pid():
    if path := os.environ.get(PIDS):
        with open(path, "a") as file:
            file.write(f"{os.getpid()}\n")


def fault():
    what = os.environ.get(FAULT)
    if what == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "hangs":
        time.sleep(3600)
    if what == "raises":
        raise ValueError("only the second device has this")


@hookimpl
def tlbench_strategies():
    return [Dividing(), Faulty(), Coupled()]
