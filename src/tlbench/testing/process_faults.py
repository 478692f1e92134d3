"""Strategies that end, block or modify the process in which they run."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tlbench.contracts.fits.job import Job
from tlbench.contracts.fits.predictor import Predictor
from tlbench.testing.toys import ToyFit

CRASHED = "TLBENCH_TOY_CRASHED"
"""Environment variable with the path of a file to which `toy-exiting` appends a line before it ends its process."""
MET = "TLBENCH_TOY_MET"
"""Environment variable with the path of a file to which `toy-meeting` and `toy-littering` append process ids."""


@dataclass(frozen=True)
class InterruptingStrategy(ToyFit):
    """Raises an exception that `except Exception` does not catch."""

    name = "toy-interrupting"

    how: Literal["interrupt", "generator", "exit"] = "interrupt"

    def fit(self, job: Job) -> Predictor:
        """Always raises.

        Raises:
            KeyboardInterrupt: `how` is "interrupt".
            GeneratorExit: `how` is "generator".
            SystemExit: `how` is "exit".
        """
        raise {"interrupt": KeyboardInterrupt, "generator": GeneratorExit, "exit": SystemExit}[self.how]("on purpose")


@dataclass(frozen=True)
class LitteringStrategy(ToyFit):
    """Changes global state of its process, and may start a child process that outlives the fit."""

    name = "toy-littering"

    def fit(self, job: Job) -> Predictor:
        """Fits as `toy-fit`, and then changes settings of torch and Python that later fits must not inherit."""
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
        # In a session of its own: killing the worker's process group does not end it.
        if MET in os.environ:
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"], start_new_session=True)
            append(Path(os.environ[MET]), str(child.pid))
        return predictor


@dataclass(frozen=True)
class ExitingStrategy(ToyFit):
    """Ends its process without cleaning up, like a crash in native code."""

    name = "toy-exiting"

    times: int = -1
    """Number of crashes before a fit succeeds, counted in the file of `TLBENCH_TOY_CRASHED`; -1 to crash always."""
    status: int = 139
    """The exit status, or the negative number of a signal by which the process kills itself."""

    def fit(self, job: Job) -> Predictor:
        """Fits as `toy-fit`, unless it ends its process."""
        crashes = Path(os.environ[CRASHED]) if CRASHED in os.environ else None
        # Counted in a file, since each crash ends the process that could count.
        before = len(crashes.read_text().splitlines()) if crashes and crashes.exists() else 0
        if self.times < 0 or before < self.times:
            if crashes:
                append(crashes, str(os.getpid()))
            if self.status < 0:
                os.kill(os.getpid(), -self.status)
            # Not sys.exit, which raises an exception that the runner could handle.
            os._exit(self.status)
        return ToyFit.fit(self, job)


@dataclass(frozen=True)
class SlowStrategy(ToyFit):
    """Computes matrix products before it fits, so that its process is busy, as a sleeping one would not be."""

    name = "toy-slow"

    rounds: int = 1000
    """Number of products of two 64 x 64 matrices; about 100,000 products take a second on one core."""

    def fit(self, job: Job) -> Predictor:
        """Fits as `toy-fit` after the matrix products."""
        import torch

        matrix = torch.eye(64)
        for _ in range(self.rounds):
            matrix = matrix @ matrix
        return ToyFit.fit(self, job)


@dataclass(frozen=True)
class HoldingStrategy(ToyFit):
    """Holds memory of a known size for a moment before it fits."""

    name = "toy-holding"

    megabytes: int = 0
    """The size in units of 1,000,000 bytes."""

    def fit(self, job: Job) -> Predictor:
        """Allocates the memory, writes to each page of it and frees it, then fits as `toy-fit` does."""
        import numpy as np

        np.ones(self.megabytes * 1_000_000, dtype=np.uint8)
        return ToyFit.fit(self, job)


@dataclass(frozen=True)
class HangingStrategy(ToyFit):
    """Never ends: in Python, in C code that holds the interpreter's lock, or with every signal blocked and ignored."""

    name = "toy-hanging"

    how: Literal["python", "native", "deaf"] = "python"

    def fit(self, job: Job) -> Predictor:
        """Waits for ever."""
        import ctypes
        import signal
        import time

        if self.how == "deaf":
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
        while True:
            if self.how == "native":
                # PyDLL keeps the interpreter's lock, so that no thread of the process runs any more.
                ctypes.PyDLL(None).pause()
            time.sleep(0.05)


@dataclass(frozen=True)
class HoardingStrategy(ToyFit):
    """Takes memory without end, up to a limit that protects the machine on which it is tested."""

    name = "toy-hoarding"

    most_gigabytes: int = 6

    def fit(self, job: Job) -> Predictor:
        """Takes memory in steps of 16,000,000 bytes, and then fits as `toy-fit`."""
        import numpy as np

        held = []
        for _ in range(self.most_gigabytes * 1000 // 16):
            held.append(np.ones(16_000_000, dtype=np.uint8))
        return ToyFit.fit(self, job)


def append(file: Path, line: str) -> None:
    """Appends a line in one system call, so that lines of concurrent processes do not mix."""
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, f"{line}\n".encode())
    finally:
        os.close(descriptor)
