"""Freezing, decay groups and layer-wise learning rates."""

from __future__ import annotations

import pytest
import torch

from tlbench.contracts.outputs import Classes
from tlbench.modeling.heads import PooledHead
from tlbench.testing.toys import ToyBackbone
from tlbench.training import Group, Model, freeze, groups_of, layer_decayed


@pytest.fixture
def model() -> Model:
    encoder = ToyBackbone().load()
    return Model(encoder, PooledHead(encoder.width, Classes(("no", "yes"))))


def _learning_rates(model: Model, groups: list[Group]) -> dict[str, float]:
    names = {parameter: name for name, parameter in model.named_parameters()}
    return {names[p]: group["lr"] for group in groups for p in group["params"]}


def test_every_weight_is_in_one_group(model: Model) -> None:
    for groups in (groups_of(model, 0.1), layer_decayed(model, 0.1, 0.5)):
        listed = [p for group in groups for p in group["params"]]
        assert len(listed) == len(set(listed)) == len(list(model.parameters()))


def test_biases_norms_and_embeddings_do_not_decay(model: Model) -> None:
    undecayed = {p for group in groups_of(model, 0.1, 0.3) if group["weight_decay"] == 0 for p in group["params"]}
    names = {name for name, p in model.named_parameters() if p in undecayed}
    assert "encoder.native.embeddings.weight" in names
    assert "encoder.native.norm.weight" in names
    assert "head.linear.bias" in names
    assert not {name for name in names if name.endswith(".out.weight")}
    assert {group["weight_decay"] for group in groups_of(model, 0.1, 0.3)} == {0.0, 0.3}


def test_rates_decay_from_the_head_down(model: Model) -> None:
    rates = _learning_rates(model, layer_decayed(model, 1.0, 0.5))
    assert rates["head.linear.weight"] == 1.0
    assert rates["encoder.native.blocks.2.out.weight"] == rates["encoder.native.norm.weight"] == 0.5
    assert rates["encoder.native.blocks.0.out.weight"] == 0.125
    assert rates["encoder.native.embeddings.weight"] == 0.0625


@pytest.mark.parametrize("of", ["model", "encoder"])
def test_freezing_takes_the_stages_below(model: Model, of: str) -> None:
    freeze(model if of == "model" else model.encoder, 2)
    frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
    assert frozen
    assert {name.split(".")[2] for name in frozen} == {"embeddings", "blocks"}
    assert not {name for name in frozen if ".blocks.1." in name or ".blocks.2." in name}
    listed = {p for group in groups_of(model, 0.1) for p in group["params"]}
    assert listed == {p for p in model.parameters() if p.requires_grad}


def test_frozen_modules_stay_in_eval_mode() -> None:
    encoder = ToyBackbone().load()
    model = Model(encoder, PooledHead(encoder.width, Classes(("no", "yes"))), start=2).train()
    modes = {name: module.training for name, module in encoder.native.named_modules()}
    assert not modes["blocks.0.dropout"]
    assert not modes["blocks.0.norm"]
    assert modes["blocks.1.dropout"]
    assert model.head.training
    model.eval()
    assert not any(module.training for module in model.modules())


def test_a_batch_norm_in_a_frozen_part_keeps_its_statistics() -> None:
    encoder = ToyBackbone().load()
    norm = torch.nn.BatchNorm1d(4)
    for parameter in norm.parameters():
        parameter.requires_grad_(False)
    encoder.native.add_module("frozen", norm)
    Model(encoder, PooledHead(encoder.width, Classes(("no", "yes")))).train()
    norm(torch.randn(8, 4) + 5)
    assert not norm.running_mean.any()
