"""Resolving `auto`, autocast regions, and conversions between dtypes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from tlbench.modeling import precision
from tlbench.system import processor

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("fpu avx2", "fp32"), ("fpu avx512_bf16 avx2", "bf16-autocast"), ("amx_bf16", "bf16-autocast"), ("", "fp32")],
)
def test_auto_on_a_cpu_is_bf16_only_in_hardware(monkeypatch: pytest.MonkeyPatch, flags: str, expected: str) -> None:
    monkeypatch.setattr(processor, "cpu_flags", lambda: frozenset(flags.split()))
    assert precision.resolve("auto", CPU) == expected


@pytest.mark.parametrize("name", ["fp32", "bf16-autocast", "bf16-weights"])
def test_named_precisions_are_not_changed(name: str) -> None:
    assert precision.resolve(name, CPU) == name


def test_flags_are_read_as_whole_words(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor : 0\nflags\t\t: fpu avx512_bf16x sse\nflags : amx_bf16\n")
    assert processor.cpu_flags(cpuinfo) == {"fpu", "avx512_bf16x", "sse"}


def test_cpu_flags_are_empty_without_a_cpuinfo_file(tmp_path: Path) -> None:
    assert processor.cpu_flags(tmp_path / "missing") == frozenset()


def test_autocast_multiplies_in_bf16_for_all_precisions_but_fp32() -> None:
    """With weights in bf16 too: heads are in fp32, and torch does not multiply bf16 with fp32 by itself."""
    layer, x = torch.nn.Linear(4, 4), torch.ones(1, 4)
    for name, dtype in [("fp32", torch.float32), ("bf16-autocast", torch.bfloat16), ("bf16-weights", torch.bfloat16)]:
        with precision.autocast(CPU, name):
            assert layer(x).dtype == dtype


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_matrices_become_bf16_and_normalisations_still_compute(dtype: torch.dtype) -> None:
    module = nn.Sequential(nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1), nn.GroupNorm(2, 4), nn.LayerNorm(3))
    precision.to_bf16_weights(module)
    assert [name for name, value in module.state_dict().items() if value.dtype == torch.bfloat16] == ["1.weight"]
    with precision.autocast(CPU, "bf16-weights"):
        module(torch.randn(2, 4, 3, 3, dtype=dtype)).sum().backward()
    assert all(weight.grad.dtype == weight.dtype for weight in module.parameters())


def test_at_least_fp32_widens_and_never_narrows() -> None:
    given = {torch.bfloat16: torch.float32, torch.float16: torch.float32, torch.float64: torch.float64}
    for dtype, expected in given.items():
        assert precision.at_least_fp32(torch.ones(2, dtype=dtype)).dtype == precision.wide(dtype) == expected
    whole = torch.ones(2)
    assert precision.at_least_fp32(whole) is whole, "fp32 is not even copied"
