"""What this machine offers to an executor that runs on it."""

from __future__ import annotations

from tlbench.contracts.errors import UsageError
from tlbench.contracts.executor import Capacity, ExecutorRequest
from tlbench.system.machine import cores, default_jobs, gpu_multiplies_bf16, gpus
from tlbench.system.processor import multiplies_bf16


def local_capacity(asked: ExecutorRequest, workers: int | None = None, isolated: bool = False) -> Capacity:
    """Returns this machine's workers, and the cores and device of each.

    Without a number of workers there are as many as are asked for and useful.

    Raises:
        UsageError: A GPU that this machine lacks.
    """
    there = gpus()
    if asked.device.startswith("cuda") and there <= int(asked.device.partition(":")[2] or 0):
        raise UsageError(f"--device {asked.device}: this machine has {there} GPUs")
    on_gpu = asked.device != "cpu" and there > 0
    count = workers or min(asked.workers or default_jobs(asked.device), max(1, asked.useful))
    # Asked for several, one worker gets the threads of one of so many, and so computes what they do.
    share = max(1, cores() // (asked.workers if workers and asked.workers else count))
    bf16 = gpu_multiplies_bf16(asked.device) if on_gpu else multiplies_bf16()
    return Capacity(count, share, "cuda" if on_gpu else "cpu", bf16, isolated)


def gpu_of(asked: ExecutorRequest, slot: int) -> str:
    """Returns the number of the GPU that the worker of a slot has to itself."""
    index = asked.device.partition(":")[2]
    return index or str(slot % max(1, gpus()))
