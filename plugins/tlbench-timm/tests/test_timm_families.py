"""Every family is cut where timm groups its blocks, with equal bits and gradients."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import timm
import torch
from timm.models.vgg import VGG
from tlbench_timm.blocks import candidates, verified_blocks
from tlbench_timm.convention import ImageConvention
from tlbench_timm.loading import staged
from tlbench_timm.plugin import tlbench_resolve
from torch import nn

from tlbench import Classes
from tlbench.modeling.encoder import Hidden
from tlbench.modeling.heads import PooledHead
from tlbench.modeling.stages.staged_encoder import StagedEncoder
from tlbench.testing.conformance import BackboneConformance
from tlbench.training import Model

SIZE = (32, 32)
STAGES = {
    "test_resnet": 5,
    "test_vit": 7,
    "test_convnext": 10,
    "test_efficientnet": 6,
    "mobilenetv3_small_050": 13,
    "test_byobnet": 5,
    "vgg": 4,
    "vgg-bn": 4,
}
"""Family to blocks and stem."""


def make(family: str) -> StagedEncoder:
    torch.manual_seed(0)
    if family.startswith("vgg"):
        norm = nn.BatchNorm2d if family == "vgg-bn" else None
        native = VGG([4, "M", 6, 6, "M", 8, "M"], num_classes=0, mlp_ratio=0.002, norm_layer=norm)
    else:
        options = {"img_size": 32} if "vit" in family else {}
        native = timm.create_model(family, num_classes=0, **options)
    with torch.no_grad():
        for name, value in native.state_dict().items():
            # Blocks that add nothing as yet, and norms that change nothing, would hide a wrong cut.
            if value.is_floating_point():
                value.add_(0.1 * torch.rand_like(value) if "var" in name else 0.05 * torch.randn_like(value))
    return staged(native, family, SIZE, "seed-0")


def pixels(count: int = 4) -> dict[str, torch.Tensor]:
    return {"pixel_values": torch.randn(count, 3, *SIZE, generator=torch.Generator().manual_seed(1))}


@pytest.mark.parametrize("family", STAGES)
def test_cuts_give_the_same_bits_and_gradients(family):
    encoder = make(family)
    assert len(encoder.stages) == STAGES[family]
    with torch.no_grad():
        whole = encoder(pixels())
        assert torch.equal(whole.x, encoder.native.forward_features(pixels()["pixel_values"]))
        assert torch.equal(encoder.pool(whole), encoder.native(pixels()["pixel_values"]))
        for k in range(1, len(encoder.stages) + 1):
            middle = encoder(pixels(), stop=k).x
            assert torch.equal(encoder(Hidden(middle.clone()), start=k).x, whole.x), k
    assert encoder.width == encoder.native.head_hidden_size
    names = [name for stage in encoder.stages for name in stage.parameters]
    assert sorted(names) == sorted(name for name, _ in encoder.native.named_parameters())
    for k in (1, len(encoder.stages) - 1):
        upper = dict(encoder.stage_parameters(k))
        for name, parameter in encoder.stage_parameters():
            parameter.requires_grad_(name in upper)
        gradients = []
        for start in (0, k):
            encoder.zero_grad()
            with torch.no_grad():
                given = Hidden(encoder(pixels(), stop=k).x.clone()) if start else pixels()
            encoder.pool(encoder(given, start=start)).square().sum().backward()
            gradients.append({name: p.grad.clone() for name, p in upper.items() if p.grad is not None})
        assert gradients[0].keys() == gradients[1].keys() == upper.keys()
        assert all(torch.equal(gradients[0][name], gradients[1][name]) for name in upper), k


@pytest.mark.parametrize("family", ["test_resnet", "vgg-bn"])
def test_a_later_pass_leaves_the_hidden_state_as_it_is(family):
    encoder = make(family)
    for k in range(1, len(encoder.stages)):
        with torch.no_grad():
            given = encoder(pixels(), stop=k)
        before = given.x.clone()
        encoder(given, start=k)
        assert torch.equal(given.x, before), k


def test_a_frozen_norm_rests_while_the_blocks_above_it_learn():
    encoder = make("test_resnet")
    model = Model(encoder, PooledHead(encoder.width, Classes(("no", "yes"))), start=4).train()
    before = {name: buffer.clone() for name, buffer in encoder.native.named_buffers()}
    for cut in (False, True):
        with torch.no_grad():
            batch = {"hidden": encoder(pixels(), stop=4)} if cut else pixels()
        model(batch).sum().backward()
    for name, buffer in encoder.native.named_buffers():
        assert torch.equal(buffer, before[name]) == (not name.startswith("layer4")), name


class Skipping(nn.Module):
    """What its first block takes is added to what its last block gives: a cut between them loses it."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3)
        self.blocks = nn.Sequential(*(nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU()) for _ in range(3)))

    def group_matcher(self, coarse=False):
        return {"stem": "^stem", "blocks": r"^blocks\.(\d+)"}

    def forward_features(self, x):
        x = self.stem(x)
        return self.blocks(x) + x

    def forward_head(self, x, pre_logits=True):
        return x.mean((2, 3))


def test_a_model_that_cannot_be_cut_is_one_stage():
    torch.manual_seed(0)
    native = Skipping().eval()
    assert [len(paths) for paths in candidates(native)] == [3, 3, 0]

    def build(blocks):
        return StagedEncoder(native, ImageConvention((8, 8)), blocks, readout="pooler", identity="x")

    before = copy.deepcopy(native.state_dict())
    assert verified_blocks(native, (8, 8), build) == []
    assert all(torch.equal(before[name], value) for name, value in native.state_dict().items())
    encoder = staged(native, "skipping", (8, 8), "x")
    assert [stage.name for stage in encoder.stages] == ["embeddings"]
    assert len(encoder.stages[0].parameters) == 8


def test_finding_blocks_draws_nothing():
    torch.manual_seed(0)
    timm.create_model("test_resnet", num_classes=0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    staged(timm.create_model("test_resnet", num_classes=0), "anew", SIZE, None)
    assert torch.equal(torch.rand(3), expected)


class TimmConformance(BackboneConformance):
    architecture = ""
    size: int | None = None

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _saved(cls, tmp_path_factory, weights_file):
        path = weights_file(tmp_path_factory.mktemp("weights"), cls.architecture, classes=7)
        resolved = tlbench_resolve("backbone", f"timm:{cls.architecture}")
        cls.backbone = dataclasses.replace(resolved, weights=str(path), size=cls.size)
        yield
        del cls.backbone


class TestResNet(TimmConformance):
    architecture = "test_resnet"
    size = 64


class TestViT(TimmConformance):
    architecture = "test_vit"
