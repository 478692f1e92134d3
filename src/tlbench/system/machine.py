"""What the machine offers, found out without importing torch."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path

_BYTES_PER_WORKER = 2 * 1024**3
_CGROUP = Path("/sys/fs/cgroup")
_PATIENCE_SECONDS = 20


def cores(cgroup: Path = _CGROUP) -> int:
    """Returns how many cores this process may use: a container may be granted fewer than it sees."""
    count = os.cpu_count() or 1
    with suppress(AttributeError):
        count = len(os.sched_getaffinity(0))
    with suppress(OSError, ValueError):
        quota, period = (cgroup / "cpu.max").read_text().split()
        # "max" where there is no limit
        count = min(count, max(1, round(int(quota) / int(period))))
    return count


def memory_bytes(cgroup: Path = _CGROUP) -> int | None:
    """Returns how much memory this process may use, or None where the system does not tell."""
    total = None
    with suppress(OSError, ValueError, AttributeError):
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with suppress(OSError, ValueError):
        limit = int((cgroup / "memory.max").read_text())
        total = limit if total is None else min(total, limit)
    return total


def gpus() -> int:
    """Returns how many NVIDIA GPUs this process may use."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([part for part in visible.split(",") if part.strip() and part.strip() != "-1"])
    with suppress(OSError):
        return len(list(Path("/proc/driver/nvidia/gpus").iterdir()))
    return len([path for path in Path("/dev").glob("nvidia[0-9]*")])


def gpu_memory_bytes(device: str = "auto") -> int | None:
    """Returns the memory of a GPU, of the smallest one for "auto" and "cuda"; None where there is none, or no tool."""
    told = _asked_of_gpus(device, "memory.total")
    with suppress(ValueError):
        return min(int(line) for line in told) * 1024**2 if told else None
    return None


def _asked_of_gpus(device: str, what: str) -> list[str]:
    """Returns what the driver's tool says of one GPU or of all that this process may use; nothing without it."""
    query = ["nvidia-smi", f"--query-gpu={what}", "--format=csv,noheader,nounits"]
    visible = [part.strip() for part in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if part.strip()]
    index = device.partition(":")[2]
    with suppress(OSError, ValueError, IndexError, subprocess.SubprocessError):
        # The tool counts all GPUs; a process counts those that it may see.
        asked = [visible[int(index)] if visible else index] if index else visible
        query += ["-i", ",".join(asked)] if asked else []
        return subprocess.run(
            query, capture_output=True, text=True, check=True, timeout=_PATIENCE_SECONDS
        ).stdout.split()
    return []


def gpu_multiplies_bf16(device: str = "auto") -> bool:
    """Says whether a GPU multiplies bf16 itself: of all, the weakest, from compute capability 8.0 on."""
    capability = _asked_of_gpus(device, "compute_cap")
    return bool(capability) and min(float(one) for one in capability) >= 8.0


def default_jobs(device: str) -> int:
    """Returns how many workers fit: one a GPU, else one a core as far as the memory goes."""
    if device.startswith("cuda:"):
        return 1
    if device != "cpu" and gpus():
        return gpus()
    memory = memory_bytes()
    return cores() if memory is None else max(1, min(cores(), memory // _BYTES_PER_WORKER))
