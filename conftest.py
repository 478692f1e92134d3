"""What all tests share: no test waits for the disk, and none leaves torch with another number of threads."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import pytest

PLACES = "TLBENCH_PLACES"


class HasFileno(Protocol):
    """An open file, as `os.fsync` takes it too."""

    def fileno(self) -> int:
        """Returns the number of the file."""


@pytest.fixture(autouse=True, scope="session")
def _no_waiting_for_the_disk() -> Iterator[None]:
    """Replaces `os.fsync` by a call that also fails where there is no open file, but does not wait.

    What fsync is for, a power cut, no test can make; a test that kills processes finds their writes in memory.
    """

    def checked(file: int | HasFileno) -> None:
        os.fstat(file if isinstance(file, int) else file.fileno())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", checked)
        yield


@contextmanager
def _torch_threads_restored() -> Iterator[None]:
    """Sets torch's number of threads back afterwards, as cells that run in this process change it.

    It does not import torch; where torch is first imported in between, the number that is left stays.
    """
    before = sys.modules["torch"].get_num_threads() if "torch" in sys.modules else None
    yield
    if before is not None and sys.modules["torch"].get_num_threads() != before:
        sys.modules["torch"].set_num_threads(before)


@pytest.fixture(autouse=True, scope="module")
def _no_module_changes_threads() -> Iterator[None]:
    """Restores what fixtures of a module or a class have changed."""
    with _torch_threads_restored():
        yield


@pytest.fixture(autouse=True)
def _no_test_knows_places_of_another() -> Iterator[None]:
    """Restores the variable in which this process notes where files of names lie."""
    with pytest.MonkeyPatch.context() as patch:
        if PLACES in os.environ:
            patch.setenv(PLACES, os.environ[PLACES])
        yield
        os.environ.pop(PLACES, None)


@pytest.fixture(autouse=True)
def _no_test_changes_threads() -> Iterator[None]:
    """Restores what a test has changed."""
    with _torch_threads_restored():
        yield
