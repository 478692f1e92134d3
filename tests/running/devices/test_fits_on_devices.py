"""Fits on several devices: equal to those on one, named when a device fails, and no process left behind."""

import time

import psutil
import pyarrow.parquet as parquet
import pytest
import torch

from tlbench.contracts.executor import WorkerLost
from tlbench.testing.agreement import assert_same_in_fp64


def test_a_fit_on_two_devices_equals_that_on_one(two_devices, tmp_path):
    predicted = []
    for devices in (1, 2):
        answer = two_devices.fit("dividing", devices, purpose="final")
        (fit,) = answer.results
        assert fit.status == "ok", f"{fit.reason}\n{fit.traceback}"
        predicted.append((answer, fit, parquet.read_table(tmp_path / fit.predictions)))
    (one, mine, table), (two, other, same) = predicted
    assert_same_in_fp64(torch.tensor(other.notes["last_loss"]).double(), torch.tensor(mine.notes["last_loss"]).double())
    assert same.column_names == table.column_names
    assert same.column("id") == table.column("id")
    assert other.examples_seen == mine.examples_seen > 0
    assert other.validation == mine.validation
    assert two.made_with.device == f"{one.made_with.device} x 2"
    assert two.energy_joules is None


def test_a_step_of_the_loop_is_the_same_whatever_the_number_of_rows(two_devices):
    # 5 rows divide unevenly among 2 devices, and of 1 row one device has none.
    for rows in (1, 5):
        strategy = f"dividing[train_batch_size={rows}]"
        one, two = (two_devices.fit(strategy, devices).results[0] for devices in (1, 2))
        assert (one.status, two.status) == ("ok", "ok"), f"{two.reason}\n{two.traceback}"
        losses = [torch.tensor(fit.notes["last_loss"], dtype=torch.float64) for fit in (one, two)]
        assert_same_in_fp64(losses[1], losses[0])


def test_the_second_device_dies(two_devices, tmp_path):
    pids = tmp_path / "pids"
    with pytest.raises(WorkerLost, match="of device 1 was killed by SIGKILL"):
        two_devices.fit("dividing-faulty", 2, TLBENCH_TEST_DEVICE_FAULT="dies", TLBENCH_TEST_DEVICE_PIDS=str(pids))
    assert_gone(pids, 2)
    assert two_devices.fit("dividing", 2).results[0].status == "ok"


def test_the_second_device_hangs_and_its_fit_is_cancelled(two_devices, tmp_path):
    pids = tmp_path / "pids"
    environment = {"TLBENCH_TEST_DEVICE_FAULT": "hangs", "TLBENCH_TEST_DEVICE_PIDS": str(pids)}
    handle = two_devices.submit("dividing-faulty", 2, **environment)
    while not pids.exists() or len(pids.read_text().split()) < 2:
        assert not two_devices.executor.wait([handle], 0.05), "the fit ended, although a device hangs"
    handle.cancel()
    with pytest.raises(WorkerLost):
        two_devices.result(handle)
    assert_gone(pids, 2)


def test_the_second_device_alone_raises(two_devices):
    (fit,) = two_devices.fit("dividing-faulty", 2, TLBENCH_TEST_DEVICE_FAULT="raises").results
    assert (fit.status, fit.reason) == ("failed", "ValueError: only the second device has this")
    assert two_devices.fit("dividing", 2).results[0].status == "ok"


def test_a_batch_that_cannot_be_divided_is_named(two_devices):
    (fit,) = two_devices.fit("dividing-coupled", 2).results
    assert fit.status == "failed"
    assert "may depend on all rows of a batch together" in fit.reason
    assert "leave out --devices" in fit.reason


def assert_gone(pids, count):
    """Asserts that the processes noted in a file have ended."""
    noted = {int(pid) for pid in pids.read_text().split()}
    assert len(noted) == count
    deadline = time.monotonic() + 60
    while alive := [pid for pid in noted if _is_alive(pid)]:
        assert time.monotonic() < deadline, f"left behind: {alive}"
        time.sleep(0.05)


def _is_alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
