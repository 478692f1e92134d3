"""Measurements of memory and time on a mocked GPU."""

from __future__ import annotations

import torch

from tlbench.system import measure


def test_a_gpu_is_started_before_its_memory_is_watched_and_before_the_clock(monkeypatch):
    device, done = torch.device("cuda", 0), []
    clock = iter((10.0, 12.0))

    def reset(which):
        assert done == ["init"], "torch raises where CUDA was not initialised"
        assert which == device
        done.append("reset")

    monkeypatch.setattr(torch.cuda, "init", lambda: done.append("init"))
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", reset)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda which: 3)
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda which: 4)
    monkeypatch.setattr(measure.time, "perf_counter", lambda: done.append("clock") or next(clock))
    with measure.metered(device) as usage:
        pass
    assert done == ["init", "reset", "clock", "clock"]
    assert usage.seconds == 2.0
    assert (usage.memory.device_allocated_bytes, usage.memory.device_reserved_bytes) == (3, 4)
