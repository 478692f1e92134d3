"""Runs and searches among the toys by the functions of `import tlbench`, in this process and a temporary folder."""

from functools import partial

import pytest

import tlbench

HERE = {"executor": "inline", "jobs": 1, "device": "cpu"}


@pytest.fixture
def toys(tmp_path, monkeypatch):
    """Registers the toys, faults and policies of tests, and makes a temporary folder the working directory."""
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin,tlbench.testing.faults,tests.finding.conftest")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(toys):
    return partial(tlbench.run, tasks="toy-tone", backbones="toy", baselines=False, out="out", **HERE)


@pytest.fixture
def find(toys):
    chosen = {"backbones": "toy", "strategies": ["toy-fit"], "policy": "in-order", "out": "out"}
    return partial(tlbench.find, "toy-tone", 30, **chosen, **HERE)
