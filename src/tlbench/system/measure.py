"""What a cell costs: seconds, peak bytes, energy; and what it was made with."""

from __future__ import annotations

import os
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
from tlbench.system.version import VERSION

if TYPE_CHECKING:
    import torch

_LIBRARIES = ("torch", "transformers", "timm", "peft", "scikit-learn", "numpy", "optuna")
_RAPL = Path("/sys/class/powercap")


class Stopwatch:
    """Wall-clock seconds; time spent in a nested watch can be taken out by the caller."""

    def __init__(self) -> None:
        self.seconds = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Adds the time of the block."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - began


@dataclass
class ResourceUsage:
    """What the machine was asked for between the beginning and the end of a cell."""

    memory: Memory = Memory()
    energy_joules: float | None = None
    seconds: float = 0.0


@contextmanager
def metered(device: torch.device) -> Iterator[ResourceUsage]:
    """Measures the block; the figures stand in the yielded value once it has ended."""
    usage = ResourceUsage()
    baseline = _reset_peak(device)
    energy = _energy_microjoules()
    began = time.perf_counter()
    try:
        yield usage
    finally:
        usage.seconds = time.perf_counter() - began
        after = _energy_microjoules()
        # The counter wraps around; a cell that saw it wrap has no figure.
        if energy is not None and after is not None and after >= energy:
            usage.energy_joules = (after - energy) / 1e6
        usage.memory = _peak(baseline, device)


def provenance(
    plugins: Iterable[tuple[str, str]], device: torch.device, precision: str, threads: int, data: dict[str, str]
) -> Provenance:
    """Returns what a result was made with: plugins, the libraries that are loaded, the device, the data."""
    versions = {"tlbench": VERSION, **{name: version for name, version in plugins if version}}
    modules = {"scikit-learn": "sklearn"}
    for name in _LIBRARIES:
        if modules.get(name, name) in sys.modules:
            versions |= _version(name)
    return Provenance(
        distributions=dict(sorted(versions.items())),
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        device=device_name(device),
        precision=precision,
        threads=threads,
        data=data,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
    )


@cache
def _version(name: str) -> dict[str, str]:
    """Returns the version of a distribution by its name, or nothing where it is not installed; asked after each fit."""
    with suppress(metadata.PackageNotFoundError):
        return {name: metadata.version(name)}
    return {}


def device_name(device: torch.device) -> str:
    """Returns the name of the GPU, or of the CPU."""
    if device.type == "cuda":
        import torch

        return torch.cuda.get_device_name(device)
    return cpu_name()


@cache
def cpu_name() -> str:
    """Returns the name of the CPU, behind "cpu: "."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return f"cpu: {line.partition(':')[2].strip()}"
    return f"cpu: {platform.processor() or platform.machine()}"


def is_lost(device: torch.device) -> bool:
    """Says whether a GPU answers this process no more: after a fault in a kernel, all that follows fails as well."""
    if device.type != "cuda":
        return False
    import torch

    try:
        torch.cuda.synchronize(device)
    except RuntimeError:
        return True
    return False


def _reset_peak(device: torch.device) -> int | None:
    if device.type == "cuda":
        import torch

        torch.cuda.init()  # without it there are no statistics to reset; before the clock, since it takes seconds
        torch.cuda.reset_peak_memory_stats(device)
    # The high-water mark of a process never falls by itself.
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _status_bytes("VmRSS")


def _peak(baseline: int | None, device: torch.device) -> Memory:
    allocated = reserved = None
    if device.type == "cuda":
        import torch

        allocated = int(torch.cuda.max_memory_allocated(device))
        reserved = int(torch.cuda.max_memory_reserved(device))
    peak = _status_bytes("VmHWM")
    # The kernel counts pages in batches, so the mark can be a few pages below what was in use when it was reset.
    if peak is not None and baseline is not None:
        peak = max(peak, baseline)
    return Memory(baseline, peak, allocated, reserved)


def _status_bytes(key: str) -> int | None:
    # ru_maxrss counts what a forked child inherited from its parent; VmHWM does not.
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(f"{key}:"):
                return int(line.split()[1]) * 1024
    with suppress(ImportError):
        import psutil

        return int(psutil.Process(os.getpid()).memory_info().rss)
    return None


def _energy_microjoules() -> int | None:
    """Returns what the processor packages have used since some beginning, where the kernel tells."""
    total = None
    with suppress(OSError, ValueError):
        for package in _RAPL.glob("intel-rapl:[0-9]"):
            total = (total or 0) + int((package / "energy_uj").read_text())
    return total
