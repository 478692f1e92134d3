"""The plugin's hook and the executor `ray`. Imports nothing heavy: ray is imported when a run starts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from tlbench import Executor, ExecutorRequest, hookimpl
from tlbench.contracts.executor import ExecutorPlugin


@dataclass(frozen=True)
class RayCluster:
    """Carries out fits on the machines of a Ray cluster."""

    name: str = "ray"
    address: str = "auto"
    """Address of the cluster, `host:port`; `auto` for the one that this machine belongs to (or RAY_ADDRESS), `local` to
    start one on this machine for this run."""
    workers: int | None = None
    """The number of fits that run at the same time; None for the number from `--jobs`, or else as many as the cluster
    has room for. With a number, a cluster that starts machines on demand starts them."""
    cpus: int | None = None
    """CPU cores of each worker, which are also its threads; None for one, or for a GPU's share of its machine."""
    gpus: float | None = None
    """GPUs of each worker; None for one if the cluster has any and the device is not the CPU. With a fraction, such as
    0.25, several fits share a GPU, each has that share of its memory at most, and their times are no longer
    comparable."""
    memory: str = ""
    """Memory that each worker reserves on its machine, such as 8GB; empty to reserve none."""
    files: Literal["auto", "shared", "returned"] = "auto"
    """Whether workers have the folder of results, or return what they write there; `auto` looks on each machine."""
    data: str = ""
    """The folder of data on the machines, in place of that of TLBENCH_DATA here."""
    cache: str = ""
    """The folder of caches on the machines, in place of that of TLBENCH_CACHE here."""
    working_dir: str = ""
    """A folder that Ray copies once to each machine, up to 500 MB; paths that are not absolute, such as those of csv:
    files, are in it. Empty for the working directory, where the machines have it."""
    wait: int = 0
    """Seconds to wait for a machine that is large enough, for clusters that start machines on demand."""

    def __post_init__(self) -> None:
        """Checks what a type cannot.

        Raises:
            ValueError: A number or a size that makes no sense.
        """
        from tlbench_ray.reservation import fault_of_options

        if fault := fault_of_options(self.workers, self.cpus, self.gpus, self.memory):
            raise ValueError(fault)

    def start(self, request: ExecutorRequest) -> Executor:
        """Connects to the cluster and returns an executor with at least one worker.

        Raises:
            UsageError: Ray is not installed, no cluster answers, it has no room for a worker, or a machine has other
                versions than this one.
        """
        from tlbench_ray.cluster_executor import started_executor

        return started_executor(self, request)


@hookimpl
def tlbench_executors() -> Iterable[ExecutorPlugin]:
    """Returns the executor."""
    return [RayCluster()]
