"""The executor passes the conformance suite of executors, with its kills, on a cluster of two machines."""

import pytest
from tlbench_ray.plugin import RayCluster

from tlbench.testing.conformance import ExecutorConformance

# Two machines of a cluster import all libraries on the cores that other tests use.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module", autouse=True)
def executor(cluster):
    """The executor, with the address of the cluster."""
    TestRay.executor = RayCluster(address=cluster.address)


class TestRay(ExecutorConformance):
    executor = RayCluster()
