"""The plugin's hook: the executor `slurm`. Imports nothing heavy."""

from __future__ import annotations

from tlbench import hookimpl
from tlbench_slurm.slurm import Slurm


@hookimpl
def tlbench_executors() -> list[Slurm]:
    """Registers the executor."""
    return [Slurm()]
