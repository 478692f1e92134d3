"""A Ray cluster of two machines, which are processes on this one."""

from __future__ import annotations

import os

import pytest


def _started():
    # Ray reads them when it is imported.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_DISABLE_IMPORT_WARNING", "1")
    cluster_utils = pytest.importorskip("ray.cluster_utils", reason="ray is not installed: pip install ray")
    return cluster_utils.Cluster(initialize_head=True, head_node_args=machine(0))


def machine(number: int, cpus: int = 2) -> dict:
    """Returns the settings of a machine: as little as a machine of Ray can have."""
    return {"num_cpus": cpus, "num_gpus": 0, "include_dashboard": False, "object_store_memory": 80_000_000, "resources": {f"machine-{number}": 1}}


@pytest.fixture(scope="module")
def cluster():
    """A cluster of two machines with two CPUs each: the suite starts one executor beside another."""
    started = _started()
    try:
        started.add_node(**machine(1))
        started.wait_for_nodes()
        yield started
    finally:
        import ray

        ray.shutdown()
        started.shutdown()
