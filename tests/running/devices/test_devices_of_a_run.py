"""`--devices`: which strategies use several, and what a run, its plan and its records make of it."""

import pytest

from tlbench.contracts.errors import UsageError
from tlbench.contracts.executor import Capacity
from tlbench.contracts.resources import Resources
from tlbench.planning.capacity import Room, too_large
from tlbench.running.run import Settings, check_devices


def test_an_executor_that_gives_one_device_refuses_more(runs):
    planned = runs.plan(["toy-fit"])
    with pytest.raises(UsageError, match="--devices 2: the executor inline runs a fit on 1"):
        runs.go(planned, Settings("inline", 1, "cpu", devices=2))


def test_the_number_of_devices_is_what_was_asked_for():
    check_devices(Settings(devices=2), Capacity(devices=2))
    with pytest.raises(UsageError, match="--devices 4: the executor isolated runs a fit on 2"):
        check_devices(Settings(devices=4), Capacity(devices=2))


def test_processes_share_the_main_memory_and_no_gpu():
    needed, gib = Resources(memory_bytes=2 << 30), 1 << 30
    assert too_large(needed, Room(7 * gib, host=True, devices=2), 2) is None
    assert "for 2 processes" in too_large(needed, Room(5 * gib, host=True, devices=2), 2)
    assert too_large(needed, Room(3 * gib, host=False, devices=2), 2) is None


def test_a_fit_that_needs_devices_says_how_many():
    assert too_large(Resources(devices=4), Room(1 << 40), 1) == "needs 4 devices: give --devices 4"


def test_who_divides_batches():
    from tlbench.testing.toys import ToyFit
    from tlbench.training import GradientStrategy

    class Own(GradientStrategy):
        name = "own"

        def fit(self, job): ...

    class Coupled(GradientStrategy):
        name = "coupled"

        def objective(self, model, job): ...

    assert ToyFit().why_one_device == "its fit is its own"
    assert Own().why_one_device == "its fit is its own"
    assert "all rows of a batch" in Coupled().why_one_device
    Plain = type("Plain", (GradientStrategy,), {"name": "plain"})
    assert Plain().why_one_device is None
    assert "all rows of a batch" in Plain(mixup_alpha=0.2).why_one_device
