"""A worker that shares its GPU may use no more than its part of the memory."""

import torch

from tlbench.running.fitting import session


def test_the_share_of_a_gpu_is_a_limit_of_its_memory(monkeypatch):
    limits = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "init", lambda: None)
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", lambda part, device: limits.append(part))
    session.resolve_device("cuda")
    assert limits == []
    monkeypatch.setenv(session.GPU_SHARE, "0.25")
    session.resolve_device("cuda")
    assert limits == [0.25]
