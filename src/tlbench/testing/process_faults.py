"""Strategies that end their process, hold it up, or leave things behind in it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tlbench.contracts.strategy import Job, Predictor
from tlbench.testing.toys import ToyFit

CRASHED = "TLBENCH_TOY_CRASHED"
"""A file that `ExitingStrategy[times=n]` appends to before it ends its process."""
MET = "TLBENCH_TOY_MET"
"""A file to which each fit of `MeetingStrategy` appends its process."""


@dataclass(frozen=True)
class InterruptingStrategy(ToyFit):
    """Raises what no `except Exception` catches."""

    name = "toy-interrupting"

    how: Literal["interrupt", "generator", "exit"] = "interrupt"

    def fit(self, job: Job) -> Predictor:
        """Returns nothing.

        Raises:
            KeyboardInterrupt, GeneratorExit, SystemExit: As `how` says.
        """
        raise {"interrupt": KeyboardInterrupt, "generator": GeneratorExit, "exit": SystemExit}[self.how]("on purpose")


@dataclass(frozen=True)
class LitteringStrategy(ToyFit):
    """Leaves the process in a state that the next fit must not see, and children that outlive it."""

    name = "toy-littering"

    def fit(self, job: Job) -> Predictor:
        """Returns what the toy returns."""
        import subprocess
        import sys

        import torch

        predictor = ToyFit.fit(self, job)
        torch.set_grad_enabled(False)
        torch.set_default_dtype(torch.float64)
        torch.use_deterministic_algorithms(True)
        torch.set_num_threads(3)
        sys.setrecursionlimit(150_000)
        os.chdir("/")
        if MET in os.environ:
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"], start_new_session=True)
            append(Path(os.environ[MET]), str(child.pid))
        return predictor


@dataclass(frozen=True)
class ExitingStrategy(ToyFit):
    """Ends its own process, as a crash in native code would."""

    name = "toy-exiting"

    times: int = -1
    """How often before it fits at last, counted in the file of `TLBENCH_TOY_CRASHED`; -1: always."""
    status: int = 139
    """The exit status; a negative one is a signal that the process sends itself."""

    def fit(self, job: Job) -> Predictor:
        """Returns what the toy returns, if it returns at all."""
        crashes = Path(os.environ[CRASHED]) if CRASHED in os.environ else None
        before = len(crashes.read_text().splitlines()) if crashes and crashes.exists() else 0
        if self.times < 0 or before < self.times:
            if crashes:
                append(crashes, str(os.getpid()))
            if self.status < 0:
                os.kill(os.getpid(), -self.status)
            os._exit(self.status)
        return ToyFit.fit(self, job)


@dataclass(frozen=True)
class SlowStrategy(ToyFit):
    """Computes in vain before it fits."""

    name = "toy-slow"

    rounds: int = 1000
    """Products of two 64 x 64 matrices; some 100,000 of them take a second on one core."""

    def fit(self, job: Job) -> Predictor:
        """Returns what the toy returns, after the vain products."""
        import torch

        matrix = torch.eye(64)
        for _ in range(self.rounds):
            matrix = matrix @ matrix
        return ToyFit.fit(self, job)


def append(file: Path, line: str) -> None:
    """Appends a line in one write, so that processes do not mix theirs."""
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, f"{line}\n".encode())
    finally:
        os.close(descriptor)
