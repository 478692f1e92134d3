"""A Ray cluster of two machines, which are processes on this one."""

from __future__ import annotations

import os

import pytest

ATTEMPTS = 5
"""Ray gives its processes 15 seconds to start, which on a machine that others use may be too few."""


def machine(number: int, cpus: int = 2) -> dict:
    """Returns the settings of a machine: as little as a machine of Ray can have."""
    own = {f"machine-{number}": 1}
    return {"num_cpus": cpus, "num_gpus": 0, "object_store_memory": 80_000_000, "resources": own}


def added(cluster, number, cpus=2):
    """Adds a machine to the cluster and returns it."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            node = cluster.add_node(**machine(number, cpus), include_dashboard=False)
            cluster.wait_for_nodes()
            return node
        except Exception:
            if attempt == ATTEMPTS:
                raise
    raise AssertionError


@pytest.fixture(scope="session")
def cluster():
    """A cluster of two machines with two CPUs each: the suite starts one executor beside another."""
    # Ray reads them when it is imported.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_DISABLE_IMPORT_WARNING", "1")
    os.environ.setdefault("RAY_agent_register_timeout_ms", "600000")
    cluster_utils = pytest.importorskip("ray.cluster_utils", reason="ray is not installed: pip install ray")
    import ray

    started = None
    try:
        for attempt in range(1, ATTEMPTS + 1):
            started = cluster_utils.Cluster()
            try:
                for number in (0, 1):
                    started.add_node(**machine(number), include_dashboard=False)
                started.wait_for_nodes()
                break
            except Exception:
                started.shutdown()
                if attempt == ATTEMPTS:
                    raise
        yield started
    finally:
        ray.shutdown()
        if started is not None:
            started.shutdown()
