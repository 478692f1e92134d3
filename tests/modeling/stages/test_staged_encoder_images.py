"""Staged encoders whose hidden states change shape between blocks, and whose readout has parameters."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tlbench.modeling.data import Batch
from tlbench.modeling.encoder import Hidden
from tlbench.modeling.stages.staged_encoder import Convention, StagedEncoder


class Net(nn.Module):
    """Convolutions of growing width, with a norm between them that needs its number of channels."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.one = nn.Conv2d(4, 6, 3, padding=1)
        self.two = nn.Conv2d(6, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.three = nn.Conv2d(6, 8, 3, padding=1)
        self.four = nn.Conv2d(8, 5, 3, padding=1)
        self.top = nn.Linear(5, 7)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.two(self.one(self.stem(x))))
        return self.four(self.three(x.relu()))


class Pixels(Convention):
    def run(self, native: nn.Module, batch: Batch) -> Tensor:
        return native(batch["pixel_values"])

    def sample(self, native: nn.Module) -> Batch:
        return {"pixel_values": torch.zeros(2, 3, 6, 6)}

    def standin(self, hidden: Hidden) -> Batch:
        return self.sample(nn.Identity())

    def pooler(self, native: nn.Module):
        return lambda x: native.top(x.mean((2, 3)))


@pytest.fixture
def encoder() -> StagedEncoder:
    torch.manual_seed(0)
    native = Net().eval()
    native.norm.running_mean.normal_()
    return StagedEncoder(native, Pixels(), ["one", "two", "three", "four"], readout="pooler", identity="net")


def test_a_block_whose_output_shape_a_later_module_needs_is_not_bypassed(encoder):
    # Block 2 keeps the shape, but the norm above it reads what block 1 makes of it.
    assert [call.live for call in encoder.calls] == [True, False, False, False]
    batch = {"pixel_values": torch.randn(5, 3, 6, 6)}
    with torch.no_grad():
        whole = encoder(batch)
        shapes = []
        for k in range(1, 6):
            middle = encoder(batch, stop=k)
            shapes.append(tuple(middle.x.shape[:2]))
            assert torch.equal(encoder(Hidden(middle.x.clone()), start=k).x, whole.x), k
    assert shapes == [(5, 4), (5, 6), (5, 6), (5, 8), (5, 5)]


def test_parameters_of_the_pooler_belong_to_the_last_stage(encoder):
    assert encoder.width == 7
    assert [len(stage.parameters) for stage in encoder.stages] == [2, 2, 4, 2, 4]
    assert set(encoder.stages[-1].parameters) == {"four.weight", "four.bias", "top.weight", "top.bias"}
    plain = StagedEncoder(encoder.native, Pixels(), ["one", "four"], readout="mean", identity="net")
    assert plain.width == 5
