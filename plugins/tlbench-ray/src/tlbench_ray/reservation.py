"""What one worker reserves of a cluster, and how many workers its machines have room for. Imports no ray."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tlbench import UsageError
from tlbench.modeling.disk.cache_settings import parse_size


@dataclass(frozen=True)
class Reservation:
    """The resources that Ray reserves for one worker."""

    cpus: int
    gpus: float
    memory: int
    """In bytes; 0 for none."""

    @property
    def options(self) -> dict[str, Any]:
        """The options of a Ray actor that reserves them."""
        return {
            "num_cpus": self.cpus, "num_gpus": self.gpus, **({"memory": self.memory} if self.memory else {}),
        }  # fmt: skip

    def places(self, resources: Mapping[str, float]) -> int:
        """Returns how many workers fit on a machine with these resources."""
        counts = [resources.get("CPU", 0.0) // self.cpus]
        if self.gpus:
            gpus = resources.get("GPU", 0.0)
            # A fraction is of one GPU: two halves of different ones make no whole.
            counts.append(gpus // self.gpus if self.gpus >= 1 else math.floor(gpus) * (1 / self.gpus // 1))
        if self.memory:
            counts.append(resources.get("memory", 0.0) // self.memory)
        return int(min(counts))

    def __str__(self) -> str:
        gpus = f", {self.gpus:g} GPU{'s' if self.gpus > 1 else ''}" if self.gpus else ""
        memory = f" and {self.memory / 1e9:g} GB of memory" if self.memory else ""
        return f"{self.cpus} CPU{'s' if self.cpus > 1 else ''}{gpus}{memory}"


def fault_of_options(workers: int | None, cpus: int | None, gpus: float | None, memory: str) -> str:
    """Returns what is wrong with the options of the executor, in a few words; empty if nothing is."""
    if workers is not None and workers < 1:
        return f"workers={workers}: at least 1"
    if cpus is not None and cpus < 1:
        return f"cpus={cpus}: at least 1"
    if gpus is not None and (gpus < 0 or (gpus > 1 and gpus != int(gpus)) or not math.isfinite(gpus)):
        return f"gpus={gpus:g}: a whole number, or a fraction of 1"
    if memory:
        try:
            parse_size(memory, "memory")
        except UsageError as error:
            return str(error)
    return ""


def reservation_of(
    cpus: int | None,
    gpus: float | None,
    memory: str,
    device: str,
    machines: Iterable[Mapping[str, float]],
    devices: int = 1,
) -> Reservation:
    """Returns what one worker reserves, with the defaults that suit the machines.

    Args:
        cpus: The option of the executor.
        gpus: The option of the executor.
        memory: The option of the executor.
        device: `auto`, `cpu` or `cuda`, from `--device`.
        machines: The resources of each machine.
        devices: The number of devices of each fit, all on one machine.

    Raises:
        UsageError: The device and the number of GPUs contradict each other, or the cluster has no GPU.
    """
    if device.startswith("cuda:"):
        raise UsageError(f"--device {device}: Ray chooses the GPUs of its machines; take --device cuda")
    machines = list(machines)
    with_gpus = [one for one in machines if one.get("GPU", 0.0) >= 1]
    if device == "cpu" and gpus:
        raise UsageError(f"--device cpu and gpus={gpus:g} contradict each other: leave one out")
    if device == "cuda" and gpus == 0:
        raise UsageError("--device cuda and gpus=0 contradict each other: leave one out")
    if devices > 1 and ((gpus and gpus < devices) or (cpus is not None and cpus < devices)):
        raise UsageError(
            f"--devices {devices}: a worker needs as many, as ray[gpus={devices}] or on CPUs ray[cpus={devices}]"
        )
    if gpus is None:
        gpus = float(devices) if device == "cuda" or (device == "auto" and with_gpus) else 0.0
    if gpus and not with_gpus and machines:
        raise UsageError("the Ray cluster has no GPU: take --device cpu, or ray[wait=600] if it starts machines")
    if cpus is None:
        shares = [one.get("CPU", 1.0) // (one["GPU"] / gpus) for one in with_gpus] if gpus else [devices]
        cpus = max(1, int(min(shares, default=1)))
    return Reservation(cpus, gpus, parse_size(memory, "memory") if memory else 0)
