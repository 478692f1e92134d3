"""Weights that are mapped from a file become a process's own memory, and keep their values."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from tlbench.modeling.private_weights import make_private
from tlbench.system.process_memory import read_memory


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells mapped pages from others")
def test_mapped_weights_become_own_memory(tmp_path):
    save_file({"weight": torch.arange(5_000_000, dtype=torch.float32).view(1000, 5000)}, tmp_path / "weights")
    layer = nn.Linear(5000, 1000, bias=False, device="meta")
    layer.weight = nn.Parameter(load_file(tmp_path / "weights")["weight"])
    layer.register_buffer("expanded", torch.zeros(1).expand(1000))
    layer.register_buffer("empty", torch.zeros(0))
    before = read_memory().own
    make_private(layer)
    after = read_memory().own
    assert after - before == pytest.approx(20_000_000, rel=0.05)
    make_private(layer)
    assert read_memory().own == pytest.approx(after, abs=1_000_000)
    assert torch.equal(layer.weight.view(-1), torch.arange(5_000_000, dtype=torch.float32))
