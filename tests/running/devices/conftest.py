"""An executor whose workers have two devices, where processes can exchange data by gloo."""

import os
import sys
from pathlib import Path

import msgspec
import pytest

from tlbench.contracts.cell import Cell, Protocol, Ref
from tlbench.contracts.executor import ExecutorRequest, Fit, FitOrder
from tlbench.running.executors.isolated import Isolated

DEVICE = os.environ.get("TLBENCH_TEST_DEVICE", "cpu")
"""`cuda` to run these tests on two GPUs of this machine."""
PLUGINS = {"TLBENCH_PLUGINS": "tlbench.testing.toy_plugin,dividing_plugin"}


class TwoDevices:
    """Carries out fits of one strategy after the other, in one process or two."""

    def __init__(self, executor, folder):
        self.executor, self.folder = executor, folder

    def submit(self, strategy, devices, purpose="search", params=None, **environment):
        protocol = Protocol(trials=1, seeds=(0,), precision="fp32", max_steps=6)
        cell = Cell(Ref("toy-tone"), Ref(strategy), protocol, Ref("toy"))
        order = FitOrder(cell, purpose, (Fit(0, 0, params or {"lr": 0.01}),), str(self.folder), devices=devices)
        order = msgspec.structs.replace(order, device=DEVICE)
        return self.executor.submit(msgspec.structs.replace(order, environment={**PLUGINS, **environment}))

    def result(self, handle, seconds=240.0):
        assert self.executor.wait([handle], seconds) == {handle}, "the order did not end"
        return handle.result()

    def fit(self, strategy, devices, **what):
        answer = self.result(self.submit(strategy, devices, **what))
        assert not answer.error, f"{answer.error}\n{answer.traceback}"
        return answer


@pytest.fixture(scope="session")
def gloo():
    """Skips where torch's gloo does not start."""
    from torch import distributed

    if sys.platform != "linux" or not distributed.is_available() or not distributed.is_gloo_available():
        pytest.skip("torch has no gloo here, by which processes exchange data")
    try:
        distributed.ProcessGroupGloo.create_device(interface="lo")
    except RuntimeError as error:
        pytest.skip(f"gloo does not start here: {error}")


@pytest.fixture(scope="module")
def started(gloo, tmp_path_factory):
    folder = tmp_path_factory.mktemp("devices")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent))
        for name, value in PLUGINS.items():
            patch.setenv(name, value)
        request = ExecutorRequest(1, 1, DEVICE, str(folder / "log"), PLUGINS, devices=2)
        executor = Isolated().start(request)
        try:
            yield executor
        finally:
            executor.close()


@pytest.fixture
def two_devices(started, tmp_path):
    return TwoDevices(started, tmp_path)
