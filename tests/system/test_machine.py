"""A container may be granted less than the machine has."""

import os

import pytest

from tlbench.system.machine import cores, default_jobs, memory_bytes


@pytest.mark.parametrize(
    ("quota", "expected"), [("max 100000", None), ("100000 100000", 1), ("1000 100000", 1), ("x", None)]
)
def test_a_quota_of_processor_time_counts_as_cores(tmp_path, quota, expected):
    (tmp_path / "cpu.max").write_text(quota + "\n")
    assert cores(tmp_path) == (expected or cores(tmp_path / "none"))


@pytest.mark.parametrize(("limit", "expected"), [("max", None), (str(2**30), 2**30), (str(2**60), None)])
def test_a_limit_of_memory_counts(tmp_path, limit, expected):
    (tmp_path / "memory.max").write_text(limit + "\n")
    everything = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert memory_bytes(tmp_path) == (expected or everything)


def test_a_named_gpu_takes_one_worker():
    assert default_jobs("cuda:1") == 1
    assert 1 <= default_jobs("cpu") <= cores()
