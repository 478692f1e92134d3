"""Pytest fixtures for tests of plugins, and an explanation below each conformance check that failed.

Pytest loads this module if tlbench is installed, so it imports no torch.
"""

from __future__ import annotations

import secrets
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tlbench.testing.toys import ToyBackbone, ToyTask

# Pytest rewrites asserts in test files only; without this, a failed check would show no values.
pytest.register_assert_rewrite("tlbench.testing.conformance")

PLUGINS = "TLBENCH_PLUGINS"
CACHE, CACHE_LIMIT = "TLBENCH_CACHE", "TLBENCH_CACHE_LIMIT"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Adds to a conformance check that failed what must hold, why it matters and how to fix it."""
    report = yield
    checks = getattr(item, "cls", None)
    if report.failed and checks is not None and isinstance(item, pytest.Function):
        from tlbench.testing.conformance.advice.explanation import explanation

        if found := explanation(checks, item.originalname):
            report.sections.append((f"tlbench: {item.originalname}", str(found)))
    return report


@pytest.fixture(autouse=True, scope="session")
def _tlbench_cache_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Sets a cache folder for fixtures of sessions, modules and classes; yields the folder of all test caches."""
    folder = tmp_path_factory.getbasetemp() / "tlbench-cache"
    # Never the user's own cache: tests must not read it, and must not fill it.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE, str(folder / "session"))
        patch.setenv(CACHE_LIMIT, "1GiB")
        yield folder


@pytest.fixture(autouse=True)
def _tlbench_cache_of_the_test(_tlbench_cache_of_the_session: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets a separate cache folder for each test; tlbench creates it on first use."""
    monkeypatch.setenv(CACHE, str(_tlbench_cache_of_the_session / secrets.token_hex(6)))
    monkeypatch.setenv(CACHE_LIMIT, "1GiB")


@pytest.fixture
def tlbench_toy_backbone() -> ToyBackbone:
    """A transformer of three small blocks over hashed words."""
    from tlbench.testing.toys import ToyBackbone

    return ToyBackbone()


@pytest.fixture
def tlbench_toy_task() -> ToyTask:
    """A binary classification task with 64 training, 32 validation and 32 test sentences."""
    from tlbench.testing.toys import ToyTask

    return ToyTask()


@pytest.fixture
def tlbench_toys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Registers the toy plugins for the test, in this process and in those that it starts."""
    monkeypatch.setenv(PLUGINS, "tlbench.testing.toy_plugin")


@pytest.fixture
def tlbench_faults(tlbench_toys: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Registers the toy plugins and the plugins with faults."""
    monkeypatch.setenv(PLUGINS, "tlbench.testing.toy_plugin,tlbench.testing.faults")


@pytest.fixture
def tlbench_out(tmp_path: Path) -> Path:
    """The path of a folder for a run's records, which does not exist yet."""
    return tmp_path / "tlbench-runs"
