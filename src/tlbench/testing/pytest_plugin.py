"""Fixtures for the tests of plugins; loaded by pytest wherever tlbench is installed, so it imports nothing heavy."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tlbench.testing.toys import ToyBackbone, ToyTask

pytest.register_assert_rewrite("tlbench.testing.conformance")

PLUGINS = "TLBENCH_PLUGINS"
CACHE, CACHE_LIMIT = "TLBENCH_CACHE", "TLBENCH_CACHE_LIMIT"


@pytest.fixture(autouse=True, scope="session")
def _tlbench_cache_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keeps what fixtures of a module or a class encode out of the user's own cache; yields a folder for caches."""
    folder = tmp_path_factory.getbasetemp() / "tlbench-cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE, str(folder / "session"))
        patch.setenv(CACHE_LIMIT, "1GiB")
        yield folder


@pytest.fixture(autouse=True)
def _tlbench_cache_of_the_test(_tlbench_cache_of_the_session: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives each test a cache of its own, which is made when something is kept in it."""
    monkeypatch.setenv(CACHE, str(_tlbench_cache_of_the_session / secrets.token_hex(6)))
    monkeypatch.setenv(CACHE_LIMIT, "1GiB")


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
