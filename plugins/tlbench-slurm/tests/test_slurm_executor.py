"""The executor `slurm` passes the conformance suite on a real Slurm, with workers that stay in its jobs."""

from __future__ import annotations

import pytest
from tlbench_slurm.slurm import Slurm

from tlbench.testing.conformance import ExecutorConformance


@pytest.mark.usefixtures("slurm_cluster")
class TestSlurm(ExecutorConformance):
    executor = Slurm(array=2)
