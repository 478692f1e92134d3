"""Fixtures: random weights in files, images of noise, and the folder of real data."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tlbench import Example, Examples


@pytest.fixture(scope="session")
def weights_file() -> Callable[..., Path]:
    """Saves random weights of a model of timm, with a classifier of `classes`, in a folder."""

    def write(folder: Path, architecture: str, classes: int = 0, change: Callable[[dict], dict] = dict) -> Path:
        import timm
        from safetensors.torch import save_file

        torch.manual_seed(0)
        native = timm.create_model(architecture, num_classes=classes)
        with torch.no_grad():
            for parameter in native.parameters():
                parameter.add_(0.02 * torch.randn_like(parameter))
        path = folder / f"{architecture}-{classes}.safetensors"
        save_file(change(native.state_dict()), path)
        return path

    return write


@pytest.fixture
def photos() -> Callable[..., Examples]:
    """Makes images of noise, of different sizes, in two classes."""
    from PIL import Image

    def make(count: int = 4, side: int = 70) -> Examples:
        rng = np.random.default_rng(0)
        arrays = [rng.integers(0, 256, (side + 9 * i, side, 3), dtype=np.uint8) for i in range(count)]
        return Examples(Example(str(i), (Image.fromarray(array),), i % 2) for i, array in enumerate(arrays))

    return make


@pytest.fixture
def real_data(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Returns a folder or file of the real data, or skips the test."""

    def find(parts: str) -> Path:
        roots = [Path(root) for root in os.environ.get("TLBENCH_DATA", "").split(os.pathsep) if root]
        for root in [*roots, Path(__file__).parents[4] / "shared" / "data"]:
            if (root / parts).exists():
                monkeypatch.setenv("TLBENCH_DATA", str(root))
                return root / parts
        pytest.skip(f"{parts} is not on this machine: set TLBENCH_DATA to the folder that holds it")

    return find
