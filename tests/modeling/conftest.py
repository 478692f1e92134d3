from __future__ import annotations

from pathlib import Path

import pytest

from tlbench.modeling.disk.disk_cache import DiskCache


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def cache(folder: Path) -> DiskCache:
    return DiskCache(folder, 1 << 20, reserve_bytes=0)
