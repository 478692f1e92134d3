"""What the machine offers, found out without importing torch."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_BYTES_PER_WORKER = 2 * 1024**3


def cores() -> int:
    """Returns how many cores this process may use."""
    with suppress(AttributeError):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def gpus() -> int:
    """Returns how many NVIDIA GPUs this process may use."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([part for part in visible.split(",") if part.strip() and part.strip() != "-1"])
    with suppress(OSError):
        return len(list(Path("/proc/driver/nvidia/gpus").iterdir()))
    return len([path for path in Path("/dev").glob("nvidia[0-9]*")])


def default_jobs(device: str) -> int:
    """Returns how many workers fit: one a GPU, else one a core as far as the memory goes."""
    if device.startswith("cuda:"):
        return 1
    if device != "cpu" and gpus():
        return gpus()
    with suppress(OSError, ValueError, AttributeError):
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return max(1, min(cores(), memory // _BYTES_PER_WORKER))
    return cores()
