"""Fixtures for the tests of plugins; loaded by pytest wherever tlbench is installed, so it imports nothing heavy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tlbench.testing.toys import ToyBackbone, ToyTask

pytest.register_assert_rewrite("tlbench.testing.conformance")

PLUGINS = "TLBENCH_PLUGINS"


@pytest.fixture
def tlbench_toy_backbone() -> ToyBackbone:
    """A transformer of three tiny blocks over hashed words."""
    from tlbench.testing.toys import ToyBackbone

    return ToyBackbone()


@pytest.fixture
def tlbench_toy_task() -> ToyTask:
    """A task of two classes with 64 training, 32 validation and 32 test sentences."""
    from tlbench.testing.toys import ToyTask

    return ToyTask()


@pytest.fixture
def tlbench_toys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Brings the toys into every catalog that the test discovers, here and in processes that it starts."""
    monkeypatch.setenv(PLUGINS, "tlbench.testing.toy_plugin")


@pytest.fixture
def tlbench_faults(tlbench_toys: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Brings the toys and the plugins that misbehave on purpose."""
    monkeypatch.setenv(PLUGINS, "tlbench.testing.toy_plugin,tlbench.testing.faults")


@pytest.fixture
def tlbench_out(tmp_path: Path) -> Path:
    """A folder for a run's records, not made yet."""
    return tmp_path / "tlbench-runs"
