"""What all tests share: no test waits for the disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Protocol

import pytest


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
