"""Structural changes of an encoder are undone after a fit; it is loaded again only if that fails."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from tlbench.running.fitting.reusable_encoder import ReusableEncoder
from tlbench.testing.toys import ToyBackbone


class Counted:
    def __init__(self):
        self.loads = 0
        self.encoder = ReusableEncoder(self.load)

    def load(self):
        self.loads += 1
        return ToyBackbone().load()


def linear(encoder):
    return next((name, module) for name, module in encoder.native.named_modules() if isinstance(module, nn.Linear))


def inject(encoder):
    peft = pytest.importorskip("peft")
    name = linear(encoder)[0].rpartition(".")[2]
    peft.inject_adapter_in_model(peft.LoraConfig(r=2, target_modules=[name]), encoder.native)


def wrap(encoder):
    peft = pytest.importorskip("peft")
    name = linear(encoder)[0].rpartition(".")[2]
    encoder.native = peft.get_peft_model(encoder.native, peft.LoraConfig(r=2, target_modules=[name]))


def swap(encoder):
    name, module = linear(encoder)
    parent, _, child = name.rpartition(".")
    setattr(encoder.native.get_submodule(parent), child, nn.Sequential(module, nn.Dropout()))


def hook(encoder):
    linear(encoder)[1].register_forward_hook(lambda *_: None)


def add(encoder):
    encoder.native.add_module("extra", nn.Linear(2, 2))
    encoder.native.flag = True


def remove(encoder):
    name = linear(encoder)[0]
    parent, _, child = name.rpartition(".")
    delattr(encoder.native.get_submodule(parent), child)


def parametrised(encoder):
    parametrize.register_parametrization(linear(encoder)[1], "weight", nn.Identity())


def replaced_forward(encoder):
    encoder.native.forward = lambda *_, **__: None


CHANGES = [inject, wrap, swap, hook, add, remove, replaced_forward]


@pytest.mark.parametrize("change", CHANGES)
def test_what_a_fit_changed_is_undone_without_a_load(change):
    counted = Counted()
    encoder = counted.encoder.fresh()
    change(encoder)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(1.0)
    again, fresh = counted.encoder.fresh(), ToyBackbone().load()
    assert counted.loads == 1
    assert again is encoder
    assert [(name, type(module)) for name, module in again.named_modules()] == [
        (name, type(module)) for name, module in fresh.named_modules()
    ]
    assert all(p.requires_grad for p in again.parameters())
    for (name, value), (other, wanted) in zip(again.state_dict().items(), fresh.state_dict().items(), strict=True):
        assert name == other
        assert torch.equal(value, wanted), name
    assert not hasattr(again.native, "flag")
    assert "forward" not in vars(again.native)


def test_what_cannot_be_undone_is_loaded_anew():
    counted = Counted()
    encoder = counted.encoder.fresh()
    # The weight itself has another shape now.
    linear(encoder)[1].weight.data = torch.zeros(1, 1)
    again, fresh = counted.encoder.fresh(), ToyBackbone().load()
    assert counted.loads == 2
    assert all(torch.equal(a, b) for a, b in zip(again.state_dict().values(), fresh.state_dict().values(), strict=True))


def test_a_parametrised_weight_comes_back_one_way_or_the_other():
    counted = Counted()
    parametrised(counted.encoder.fresh())
    again, fresh = counted.encoder.fresh(), ToyBackbone().load()
    assert list(again.state_dict()) == list(fresh.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(again.state_dict().values(), fresh.state_dict().values(), strict=True))


def test_a_kept_predictor_s_encoder_is_left_to_it():
    counted = Counted()
    encoder = counted.encoder.fresh()
    inject(encoder)
    put_back = counted.encoder.keep().put_back
    names = list(encoder.state_dict())
    other = counted.encoder.fresh()
    assert other is not encoder
    assert put_back()
    assert list(encoder.state_dict()) == names
