"""The outputs of several stages of a staged encoder, collected in one pass."""

from __future__ import annotations

import torch

from tests.modeling.stages.test_staged_encoder import Plain, Tokens
from tlbench.modeling.encoder import Encoder
from tlbench.modeling.stages.staged_encoder import StagedEncoder


def test_outputs_of_several_stages_come_from_one_pass():
    torch.manual_seed(0)
    native = Plain().eval()
    encoder = StagedEncoder(native, Tokens(), ["blocks.0", "blocks.1", "blocks.2"], readout="mean", identity="x")
    batch = {"ids": torch.tensor([[1, 2, 3], [4, 5, 0]]), "mask": torch.tensor([[1, 1, 1], [1, 1, 0]]).bool()}
    passes = []
    native.embed.register_forward_hook(lambda *_: passes.append(1))
    found = encoder.at_stages(batch, [1, 3, 4])
    assert len(passes) == 1
    for stop, hidden in zip([1, 3, 4], found, strict=True):
        assert torch.equal(hidden.x, encoder(batch, stop=stop).x)
    # The default, one call for each part, gives the same.
    for one, other in zip(found, Encoder.at_stages(encoder, batch, [1, 3, 4]), strict=True):
        assert torch.equal(one.x, other.x)
    upper = encoder.at_stages(found[0], [2, 4], start=1)
    assert torch.equal(upper[0].x, encoder(batch, stop=2).x)
    assert torch.equal(upper[1].x, found[2].x)
    # Gradients reach what is trained, and nothing of the pass is left behind.
    sum(hidden.x.sum() for hidden in upper).backward()
    assert native.blocks[0].linear.weight.grad is not None
    assert encoder(batch).x.shape == found[2].x.shape
    assert encoder.sample()["ids"].shape == (2, 3)
