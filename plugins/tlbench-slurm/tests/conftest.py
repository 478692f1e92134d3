"""A Slurm of one node for the tests, from Debian's packages: munged, slurmctld and slurmd, in a folder of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

SERVICES = Path(__file__).parents[3] / "tools/services.sh"
PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch")


@pytest.fixture(scope="session")
def slurm_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a running Slurm of one node with 8 CPUs, which `SLURM_CONF` names."""
    path = f"{os.environ['PATH']}:/usr/sbin"
    if os.geteuid() != 0:
        pytest.skip("starting Slurm takes root")
    if missing := [program for program in PROGRAMS if shutil.which(program, path=path) is None]:
        pytest.skip(f"Slurm is not installed (tools/services.sh install): no {', '.join(missing)}")
    folder = tmp_path_factory.mktemp("slurm")
    try:
        started = subprocess.run([SERVICES, "start-slurm", folder], capture_output=True, text=True, check=False)
        if started.returncode != 0:
            pytest.skip(f"Slurm does not start on this machine: {started.stderr.strip()[-500:]}")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
            yield folder
    finally:
        subprocess.run([SERVICES, "stop-slurm", folder], capture_output=True, check=False)
