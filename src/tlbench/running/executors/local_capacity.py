"""Determines how many workers this machine runs at the same time, and the threads, cores and GPU of each."""

from __future__ import annotations

from tlbench.contracts.errors import UsageError
from tlbench.contracts.executor import Capacity, ExecutorRequest
from tlbench.system.machine import cores, default_jobs, gpu_multiplies_bf16, gpus
from tlbench.system.processor import multiplies_bf16


def local_capacity(request: ExecutorRequest, workers: int | None = None, isolated: bool = False) -> Capacity:
    """Returns the capacity of this machine.

    Args:
        request: The options of the run.
        workers: The number of workers set for the executor itself. None for the number that the run requests, or else
            the device's default, but no more than are useful.
        isolated: Whether each worker is a process of its own.

    Raises:
        UsageError: This machine lacks the requested GPU.
    """
    gpu_count, devices = gpus(), request.devices if isolated else 1
    if request.device.startswith("cuda") and gpu_count <= int(request.device.partition(":")[2] or 0):
        raise UsageError(f"--device {request.device}: this machine has {gpu_count} GPUs")
    on_gpu = request.device != "cpu" and gpu_count > 0
    if devices > 1 and ":" in request.device:
        raise UsageError(f"--device {request.device} names one GPU: use --device cuda with --devices {devices}")
    if on_gpu and devices > gpu_count:
        raise UsageError(f"--devices {devices}: this machine has {gpu_count} GPUs")
    most = max(1, default_jobs(request.device) // devices)
    count = workers or min(request.workers or most, max(1, request.useful))
    # Results depend on the number of threads. If one worker runs where several were requested, it gets the threads of
    # one of them, and so the same results.
    share = max(1, cores() // (devices * (request.workers if workers and request.workers else count)))
    bf16 = gpu_multiplies_bf16(request.device) if on_gpu else multiplies_bf16()
    return Capacity(count, share, "cuda" if on_gpu else "cpu", bf16, isolated, devices)


def gpus_of(request: ExecutorRequest, slot: int) -> str:
    """Returns the indices of the GPUs that the worker with this slot uses, joined by commas."""
    index = request.device.partition(":")[2]
    first = slot * request.devices
    return index or ",".join(str(gpu % max(1, gpus())) for gpu in range(first, first + request.devices))
