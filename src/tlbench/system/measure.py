"""Measures the cost of a block of code (seconds, peak memory, energy), and collects provenance."""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from tlbench.contracts.record import Memory, Provenance
from tlbench.system.process_memory import watched_memory
from tlbench.system.version import VERSION

if TYPE_CHECKING:
    import torch

_LIBRARIES = ("torch", "transformers", "timm", "peft", "scikit-learn", "numpy", "optuna")
# Running Average Power Limit: the energy counters of Intel and AMD processors, readable by root only on most systems
_RAPL = Path("/sys/class/powercap")


class Stopwatch:
    """Accumulates wall-clock seconds over several blocks; a caller may subtract the time of nested watches."""

    def __init__(self) -> None:
        self.seconds = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Adds the duration of the block."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - began


@dataclass
class ResourceUsage:
    """The resources used by a block."""

    memory: Memory = Memory()
    own_peak_bytes: int | None = None
    """Peak of this process's memory without mapped files, plus the memory that its children do not share."""
    energy_joules: float | None = None
    seconds: float = 0.0


@contextmanager
def metered(device: torch.device, *, sampled: bool = False) -> Iterator[ResourceUsage]:
    """Measures the block; the yielded value is filled in when the block ends.

    Args:
        device: The device of the block's fits.
        sampled: Whether a thread watches the memory, as `watched_memory` describes.
    """
    usage = ResourceUsage()
    _reset_device_peak(device)
    watch = None
    energy = _energy_microjoules()
    began = time.perf_counter()
    try:
        with watched_memory(sampled=sampled) as watch:
            yield usage
    finally:
        usage.seconds = time.perf_counter() - began
        after = _energy_microjoules()
        # the counter wraps around at a limit that differs by model: a difference below 0 is unknown energy
        if energy is not None and after is not None and after >= energy:
            usage.energy_joules = (after - energy) / 1e6
        if watch is not None:
            usage.memory = Memory(watch.baseline, watch.resident_peak, *_device_peaks(device))
            usage.own_peak_bytes = watch.own_peak


def provenance(
    plugins: Iterable[tuple[str, str]],
    device: torch.device,
    precision: str,
    threads: int,
    data: dict[str, str],
    devices: int = 1,
) -> Provenance:
    """Returns the provenance of a result.

    Args:
        plugins: Distributions of the plugins in use and their versions.
        device: The device of the fit.
        precision: The resolved precision.
        threads: The number of CPU threads.
        data: Fingerprints of the data, by name.
        devices: The number of devices that ran each fit together.
    """
    versions = {"tlbench": VERSION, **{name: version for name, version in plugins if version}}
    modules = {"scikit-learn": "sklearn"}
    # only libraries that are loaded: others cannot have influenced the result
    for name in _LIBRARIES:
        if modules.get(name, name) in sys.modules:
            versions |= _version(name)
    return Provenance(
        distributions=dict(sorted(versions.items())),
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        device=several_devices(device_name(device), devices),
        precision=precision,
        threads=threads,
        data=data,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
    )


# cached: it is read after every fit, and reads files
@cache
def _version(name: str) -> dict[str, str]:
    """Returns the version of a distribution under its name; empty if it is not installed."""
    with suppress(metadata.PackageNotFoundError):
        return {name: metadata.version(name)}
    return {}


def device_name(device: torch.device) -> str:
    """Returns the name of the GPU, or of the CPU."""
    if device.type == "cuda":
        import torch

        return torch.cuda.get_device_name(device)
    return cpu_name()


def several_devices(name: str, count: int) -> str:
    """Returns the name of one device or more, as "NVIDIA H200 x 4"."""
    return name if count == 1 else f"{name} x {count}"


@cache
def cpu_name() -> str:
    """Returns the name of the CPU, prefixed with "cpu: "."""
    # `platform.processor` is empty or "x86_64" on Linux
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return f"cpu: {line.partition(':')[2].strip()}"
    return f"cpu: {platform.processor() or platform.machine()}"


def is_lost(device: torch.device) -> bool:
    """Returns whether a GPU is lost to this process: after a fault in a kernel, every later CUDA call fails too."""
    if device.type != "cuda":
        return False
    import torch

    try:
        torch.cuda.synchronize(device)
    except RuntimeError:
        return True
    return False


def _reset_device_peak(device: torch.device) -> None:
    if device.type == "cuda":
        import torch

        # without initialisation there are no statistics to reset; done before the clock starts, as it takes seconds
        torch.cuda.init()
        torch.cuda.reset_peak_memory_stats(device)


def _device_peaks(device: torch.device) -> tuple[int | None, int | None]:
    """Returns the peaks of a GPU's allocated and reserved memory since the reset; None on a CPU."""
    if device.type != "cuda":
        return None, None
    import torch

    return int(torch.cuda.max_memory_allocated(device)), int(torch.cuda.max_memory_reserved(device))


def _energy_microjoules() -> int | None:
    """Returns the energy counters of all processor packages, summed, or None if they cannot be read."""
    total = None
    with suppress(OSError, ValueError):
        for package in _RAPL.glob("intel-rapl:[0-9]"):
            total = (total or 0) + int((package / "energy_uj").read_text())
    return total
