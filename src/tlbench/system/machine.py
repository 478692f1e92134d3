"""Detects this machine's cores, total memory, GPUs and their memory. Imports no torch."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path

_BYTES_PER_WORKER = 2 * 1024**3
_CGROUP = Path("/sys/fs/cgroup")
_TOOL_TIMEOUT_SECONDS = 20


def cores(cgroup: Path = _CGROUP) -> int:
    """Returns the number of cores that this process may use, which a container may limit."""
    count = os.cpu_count() or 1
    # macOS has no affinity
    with suppress(AttributeError):
        count = len(os.sched_getaffinity(0))
    with suppress(OSError, ValueError):
        quota, period = (cgroup / "cpu.max").read_text().split()
        # int("max") fails where there is no limit, and leaves the count as it is
        count = min(count, max(1, round(int(quota) / int(period))))
    return count


def memory_bytes(cgroup: Path = _CGROUP) -> int | None:
    """Returns the memory in bytes that this process may use, or None if it cannot be determined."""
    total = None
    with suppress(OSError, ValueError, AttributeError):
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    # a container's limit, below the machine's memory; "max" without one
    with suppress(OSError, ValueError):
        limit = int((cgroup / "memory.max").read_text())
        total = limit if total is None else min(total, limit)
    return total


def gpus() -> int:
    """Returns the number of NVIDIA GPUs that this process may use."""
    # counted without CUDA: a process that has initialised it can no longer be forked
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([part for part in visible.split(",") if part.strip() and part.strip() != "-1"])
    with suppress(OSError):
        return len(list(Path("/proc/driver/nvidia/gpus").iterdir()))
    return len([path for path in Path("/dev").glob("nvidia[0-9]*")])


def gpu_memory_bytes(device: str = "auto") -> int | None:
    """Returns the memory of a GPU in bytes, or None without a GPU or nvidia-smi.

    For "auto" and "cuda" it is the memory of the smallest GPU.
    """
    sizes = _query_gpus(device, "memory.total")
    # nvidia-smi prints mebibytes, or "[N/A]", which is no number
    with suppress(ValueError):
        return min(int(size) for size in sizes) * 1024**2 if sizes else None
    return None


def _query_gpus(device: str, column: str) -> list[str]:
    """Returns a column of nvidia-smi for one GPU, or for all that this process may use; empty if the tool fails."""
    query = ["nvidia-smi", f"--query-gpu={column}", "--format=csv,noheader,nounits"]
    visible = [part.strip() for part in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if part.strip()]
    index = device.partition(":")[2]
    with suppress(OSError, ValueError, IndexError, subprocess.SubprocessError):
        # nvidia-smi numbers all GPUs of the machine; "cuda:1" is the second of those visible to this process
        requested = [visible[int(index)] if visible else index] if index else visible
        query += ["-i", ",".join(requested)] if requested else []
        return subprocess.run(
            query, capture_output=True, text=True, check=True, timeout=_TOOL_TIMEOUT_SECONDS
        ).stdout.split()
    return []


def gpu_multiplies_bf16(device: str = "auto") -> bool:
    """Returns whether a GPU (for "auto", every GPU) multiplies bf16 natively: compute capability 8.0 or later."""
    capabilities = _query_gpus(device, "compute_cap")
    return bool(capabilities) and min(float(capability) for capability in capabilities) >= 8.0


def default_jobs(device: str) -> int:
    """Returns the default number of workers: one per GPU, else one per core with at least 2 GiB of memory for each."""
    if device.startswith("cuda:"):
        return 1
    if device != "cpu" and gpus():
        return gpus()
    memory = memory_bytes()
    return cores() if memory is None else max(1, min(cores(), memory // _BYTES_PER_WORKER))
