"""What a job has for fits on several devices, without a cluster."""

import pytest
from tlbench_slurm.slurm import Slurm

from tlbench import ExecutorRequest, UsageError


@pytest.mark.parametrize(
    ("options", "workers", "cores"),
    [({"cpus": 8}, 4, 1), ({"gpus": 4, "cpus": 16}, 2, 4)],
)
def test_the_devices_of_a_job_are_divided_among_its_workers(options, workers, cores):
    capacity = Slurm(**options).batch_capacity(ExecutorRequest(devices=2))
    assert (capacity.workers, capacity.cores, capacity.devices) == (workers, cores, 2)


def test_a_job_with_too_few_devices_is_refused():
    for options, what in (({"gpus": 1}, "gpus=2"), ({"cpus": 1}, "cpus=2")):
        with pytest.raises(UsageError, match=what):
            Slurm(**options).batch_capacity(ExecutorRequest(devices=2))
