"""What a piece of work is made of, as `benchmarks/speed/anatomy.py` counts it."""

import pytest
import torch

from benchmarks.speed import anatomy


def test_products_are_counted_with_their_operations():
    x, y = torch.randn(64, 32), torch.randn(32, 48)
    calls = []

    def work():
        calls.append(1)
        return (x @ y).exp()

    found = anatomy.anatomy(work)
    assert len(calls) == 3
    assert 0 < found.share < 1
    assert found.seconds > 0
    assert found.rate > 0
    with pytest.raises(ValueError, match="nothing was multiplied"):
        anatomy.anatomy(x.exp)


def test_a_line_says_what_one_part_takes():
    found = anatomy.Anatomy(seconds=0.6, share=0.725, rate=79.6e9)
    assert anatomy.line("a step", 1, found, parts=60, best=94e9) == "| a step | 1 | 10.0 | 72% | 80 | 94 |"


def test_without_data_it_says_where_they_are_looked_for(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("TLBENCH_DATA", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["anatomy"])
    assert anatomy.main() == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert f"under {tmp_path}" in said
    assert "TLBENCH_DATA" in said
