"""What the executor reserves and refuses, without a cluster."""

import sys

import pytest
from tlbench_ray import connection
from tlbench_ray.node_facts import NodeFacts, facts_here, fault_of, installed_versions
from tlbench_ray.plugin import RayCluster
from tlbench_ray.reservation import Reservation, reservation_of

from tlbench import ExecutorRequest, UsageError
from tlbench.catalog.catalog import Catalog

LARGE, SMALL = {"CPU": 32.0, "GPU": 4.0, "memory": 64e9}, {"CPU": 8.0, "memory": 16e9}


def test_the_command_line_sets_the_options():
    found = Catalog.discover().executor("ray[address=head:6379,workers=16,gpus=0.5,memory=8GB]").item
    assert (found.address, found.workers, found.gpus, found.memory) == ("head:6379", 16, 0.5, "8GB")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("workers=0", "workers=0: at least 1"),
        ("gpus=1.5", "a whole number, or a fraction of 1"),
        ("gpus=-1", "a whole number, or a fraction of 1"),
        ("cpus=0", "cpus=0: at least 1"),
        ("memory=much", "memory much: a size such as"),
        ("files=mailed", "files=mailed"),
    ],
)
def test_options_that_make_no_sense_are_refused_in_one_line(options, message):
    with pytest.raises(UsageError, match="ray") as raised:
        Catalog.discover().executor(f"ray[{options}]")
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_what_a_worker_reserves():
    assert reservation_of(None, None, "", "auto", [SMALL]) == Reservation(1, 0.0, 0)
    assert reservation_of(None, None, "", "auto", [LARGE, SMALL]) == Reservation(8, 1.0, 0)
    assert reservation_of(None, None, "", "cpu", [LARGE]) == Reservation(1, 0.0, 0)
    assert reservation_of(None, 0.25, "8GB", "cuda", [LARGE]) == Reservation(2, 0.25, 8_000_000_000)
    for device, gpus, machines in (("cpu", 1.0, [LARGE]), ("cuda", 0.0, [LARGE]), ("cuda", None, [SMALL])):
        with pytest.raises(UsageError):
            reservation_of(None, gpus, "", device, machines)
    with pytest.raises(UsageError, match="Ray chooses the GPUs"):
        reservation_of(None, None, "", "cuda:1", [LARGE])


def test_what_a_worker_with_several_devices_reserves():
    assert reservation_of(None, None, "", "auto", [SMALL], devices=2) == Reservation(2, 0.0, 0)
    assert reservation_of(None, None, "", "auto", [LARGE], devices=2) == Reservation(16, 2.0, 0)
    assert reservation_of(8, 4.0, "", "cuda", [LARGE], devices=2) == Reservation(8, 4.0, 0)
    for cpus, gpus in ((None, 0.5), (None, 1.0), (1, None)):
        with pytest.raises(UsageError, match="--devices 2: a worker needs as many"):
            reservation_of(cpus, gpus, "", "auto", [LARGE], devices=2)


def test_how_many_workers_a_machine_has_room_for():
    assert Reservation(1, 0.0, 0).places(SMALL) == 8
    assert Reservation(3, 0.0, 0).places(SMALL) == 2
    assert Reservation(1, 0.0, 6_000_000_000).places(SMALL) == 2
    assert Reservation(1, 1.0, 0).places(LARGE) == 4
    assert Reservation(1, 0.4, 0).places(LARGE) == 8, "two on each GPU, and 0.2 of it left"
    assert Reservation(1, 1.0, 0).places(SMALL) == 0


def test_other_versions_are_refused_in_one_line(tmp_path):
    mine = installed_versions()
    assert mine["tlbench"]
    here = facts_here({"TLBENCH_DATA": str(tmp_path)}, True, "")
    assert fault_of(here, mine) == ""
    other = NodeFacts("worker-3", {**mine, "torch": "1.0", "a-plugin": "2"})
    assert f"worker-3 of the Ray cluster has torch 1.0 (here {mine['torch']})" in fault_of(other, mine)
    without = {name: version for name, version in mine.items() if name != "tlbench-ray"}
    assert "tlbench-ray not at all" in fault_of(NodeFacts("worker-3", without), mine)
    assert "no folder" in fault_of(facts_here({"TLBENCH_DATA": str(tmp_path / "none")}, True, ""), mine)


def test_without_ray_one_line_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"pip install 'ray>=") as raised:
        RayCluster().start(ExecutorRequest(log=str(tmp_path / "log")))
    assert "\n" not in str(raised.value)
    assert connection.INSTALL in str(raised.value)


def test_workers_read_the_share_of_a_gpu_under_the_name_that_the_executor_gives_it():
    from tlbench_ray import cluster_executor

    from tlbench.running.fitting import session

    assert cluster_executor.GPU_SHARE == session.GPU_SHARE
