"""The staged encoder on small modules, each with one habit of a real library that breaks a naive cut."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tlbench.modeling.data import Batch
from tlbench.modeling.encoder import Hidden
from tlbench.modeling.stages.staged_encoder import Convention, StagedEncoder

D = 8


class Tokens(Convention):
    def run(self, native: nn.Module, batch: Batch) -> Tensor:
        return native(batch["ids"], batch["mask"])

    def sample(self, native: nn.Module) -> Batch:
        return {"ids": torch.zeros(2, 3, dtype=torch.long), "mask": torch.ones(2, 3, dtype=torch.bool)}

    def standin(self, hidden: Hidden) -> Batch:
        return {"ids": torch.zeros(hidden.x.shape[:2], dtype=torch.long), "mask": hidden.mask}

    def mask(self, batch: Batch) -> Tensor:
        return batch["mask"]


def mix(x: Tensor, mask: Tensor) -> Tensor:
    weights = mask.unsqueeze(-1).to(x.dtype)
    return x + (x * weights).sum(1, keepdim=True) / weights.sum(1, keepdim=True)


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(D, D)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return torch.tanh(self.linear(mix(x, mask)))


class Plain(nn.Module):
    """Blocks return the hidden state alone; a norm follows the last block."""

    def __init__(self, depth: int = 3) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, D)
        self.blocks = nn.ModuleList([Block() for _ in range(depth)])
        self.norm = nn.LayerNorm(D)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        x = self.embed(ids)
        for block in self.blocks:
            x = block(x, mask)
        return self.norm(x)


class BiasBlock(Block):
    def __init__(self, first: bool) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.randn(D)) if first else None

    def forward(self, x: Tensor, mask: Tensor, bias: Tensor | None = None) -> tuple[Tensor, Tensor | None, None]:
        if bias is None:
            assert self.bias is not None
            bias = self.bias * mask.sum()
        return super().forward(x + bias, mask), bias, None


class SharedBias(nn.Module):
    """The first block computes a bias that all others read, and each passes it on: T5's position bias."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, D)
        self.blocks = nn.ModuleList([BiasBlock(i == 0) for i in range(3)])

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        x, bias = self.embed(ids), None
        for block in self.blocks:
            x, bias, _ = block(x, mask, bias)
        return x


class Looped(nn.Module):
    """One module is called three times, after a projection: ALBERT."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, D)
        self.project = nn.Linear(D, D)
        self.blocks = nn.ModuleList([Block()])

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        x = self.project(self.embed(ids))
        for _ in range(3):
            x = self.blocks[0](x, mask)
        return x


class LooksBack(nn.Module):
    """Between the first two blocks a layer reads the embeddings again: DeBERTa's convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, D)
        self.table = nn.Parameter(torch.randn(D))
        self.blocks = nn.ModuleList([Block() for _ in range(3)])
        self.between = nn.Linear(D, D)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        embedded = x = self.embed(ids) * self.table
        for i, block in enumerate(self.blocks):
            x = block(x, mask)
            if i == 0:
                x = x + self.between(embedded)
        return x


class ByName(Plain):
    """The hidden state is passed by name."""

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        x = self.embed(ids)
        for block in self.blocks:
            x = block(x=x, mask=mask)
        return self.norm(x)


class TimeFirst(Plain):
    """Between blocks the time dimension comes first: XLNet."""

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        x = self.embed(ids).transpose(0, 1).contiguous()
        for block in self.blocks:
            x = block(x, mask.transpose(0, 1))
        return self.norm(x.transpose(0, 1))


class Upcast(Block):
    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return super().forward(x.float(), mask)


class RoundedStem(Plain):
    """The embeddings are in bf16, the blocks in fp32: ELECTRA under autocast on a GPU."""

    def __init__(self) -> None:
        super().__init__()
        self.embed.bfloat16()
        self.blocks = nn.ModuleList([Upcast() for _ in range(3)])


PLAIN = ["blocks.0", "blocks.1", "blocks.2"]
HABITS = {
    "plain": (Plain, PLAIN),
    "shared-bias": (SharedBias, PLAIN),
    "looped": (Looped, ["blocks.0"]),
    "looks-back": (LooksBack, PLAIN),
    "by-name": (ByName, PLAIN),
    "time-first": (TimeFirst, PLAIN),
    "rounded-stem": (RoundedStem, PLAIN),
}


def make(habit: str) -> StagedEncoder:
    torch.manual_seed(0)
    kind, blocks = HABITS[habit]
    return StagedEncoder(kind().eval(), Tokens(), blocks, readout="mean", identity=habit)


def batch() -> Batch:
    torch.manual_seed(1)
    lengths = torch.tensor([5, 2, 4, 1])
    return {"ids": torch.randint(1, 20, (4, 5)), "mask": torch.arange(5) < lengths.unsqueeze(1)}


def modules(encoder: StagedEncoder) -> list[tuple[str, int]]:
    return [(path, id(module)) for path, module in encoder.native.named_modules()]


@pytest.mark.parametrize("habit", HABITS)
def test_a_cut_at_every_stage_gives_the_same_bits(habit):
    encoder = make(habit)
    before = modules(encoder)
    with torch.no_grad():
        whole = encoder(batch())
        assert len(encoder.stages) == 4
        for k in range(1, 5):
            middle = encoder(batch(), stop=k)
            assert middle.x.shape == (4, 5, D)
            assert torch.equal(middle.mask, batch()["mask"])
            # a copy, as from a cache: the result must not depend on the identity of the tensor
            rest = encoder(Hidden(middle.x.clone(), middle.mask), start=k)
            assert torch.equal(rest.x, whole.x), k
            for stop in range(k, 5):
                assert torch.equal(encoder(middle, start=k, stop=stop).x, encoder(batch(), stop=stop).x), (k, stop)
    assert modules(encoder) == before
    assert not any(module._forward_pre_hooks for module in encoder.native.modules())


@pytest.mark.parametrize("habit", HABITS)
def test_stages_after_a_cut_get_the_gradients_of_a_whole_pass(habit):
    encoder = make(habit)
    for k in range(1, 4):
        for name, parameter in encoder.stage_parameters():
            parameter.requires_grad_(name in dict(encoder.stage_parameters(k)))
        upper = dict(encoder.stage_parameters(k))
        if not upper:
            continue
        encoder.zero_grad()
        encoder.pool(encoder(batch())).square().sum().backward()
        expected = {name: parameter.grad.clone() for name, parameter in upper.items()}
        encoder.zero_grad()
        with torch.no_grad():
            middle = encoder(batch(), stop=k)
        encoder.pool(encoder(Hidden(middle.x.clone(), middle.mask), start=k)).square().sum().backward()
        assert all(torch.equal(upper[name].grad, expected[name]) for name in upper)
        assert all(p.grad is None for _, p in encoder.stage_parameters(0, k))


@pytest.mark.parametrize("habit", [habit for habit in HABITS if habit != "looped"])
def test_stages_before_a_cut_get_no_gradients_from_the_stand_in_batch(habit):
    encoder = make(habit)
    for k in range(1, 4):
        encoder.zero_grad()
        with torch.no_grad():
            middle = encoder(batch(), stop=k)
        rest = encoder(middle, start=k)
        assert torch.equal(rest.x, encoder(batch()).x)
        rest.x.square().sum().backward()
        assert all(parameter.grad is None for _, parameter in encoder.stage_parameters(0, k))


def test_gradients_flow_through_a_joined_pass():
    encoder = make("plain")
    encoder(encoder(batch(), stop=2), start=2).x.square().sum().backward()
    joined = {name: parameter.grad.clone() for name, parameter in encoder.stage_parameters()}
    encoder.zero_grad()
    encoder(batch()).x.square().sum().backward()
    assert all(torch.equal(parameter.grad, joined[name]) for name, parameter in encoder.stage_parameters())


def test_hidden_states_from_inference_mode_can_be_trained_on():
    encoder = make("plain").train()
    with torch.inference_mode():
        middle = encoder(batch(), stop=2)
    encoder(middle, start=2).x.sum().backward()
    assert encoder.native.norm.weight.grad is not None


@pytest.mark.parametrize("habit", HABITS)
def test_every_parameter_is_in_one_stage(habit):
    encoder = make(habit)
    names = [name for stage in encoder.stages for name in stage.parameters]
    assert sorted(names) == sorted(name for name, _ in encoder.native.named_parameters())


@pytest.mark.parametrize(
    ("habit", "name", "stage"),
    [
        ("plain", "embed.weight", 0),
        ("plain", "blocks.1.linear.bias", 2),
        ("plain", "norm.weight", 3),
        ("shared-bias", "blocks.0.bias", 1),
        ("looped", "blocks.0.linear.weight", 1),
        ("looped", "project.weight", 0),
        ("looks-back", "between.weight", 1),
        ("looks-back", "table", 0),
    ],
)
def test_a_parameter_is_in_the_lowest_stage_that_reads_it(habit, name, stage):
    assert name in make(habit).stages[stage].parameters


def test_a_tied_parameter_is_in_the_lowest_stage():
    native = Plain()
    native.blocks[2].linear.weight = native.blocks[1].linear.weight
    encoder = StagedEncoder(native.eval(), Tokens(), PLAIN, readout="mean", identity="tied")
    assert "blocks.1.linear.weight" in encoder.stages[2].parameters
    assert encoder.stages[3].parameters == ("blocks.2.linear.bias", "norm.weight", "norm.bias")


def test_a_parameter_added_by_an_adapter_has_the_stage_of_its_module():
    encoder = make("plain")
    base = encoder.native.blocks[1].linear
    adapted = nn.Sequential(base, nn.Linear(D, D))
    encoder.native.blocks[1].linear = adapted
    assert "blocks.1.linear.1.weight" in encoder.stages[2].parameters
    with torch.no_grad():
        assert torch.equal(encoder(encoder(batch(), stop=2), start=2).x, encoder(batch()).x)


def test_blocks_run_only_where_they_are_needed():
    encoder = make("shared-bias")
    ran: list[int] = []
    for i, block in enumerate(encoder.native.blocks):
        block.register_forward_hook(lambda *_, i=i: ran.append(i))
    with torch.no_grad():
        middle = encoder(batch(), stop=2)
        assert ran == [0]
        ran.clear()
        encoder(middle, start=2)
    assert ran == [0, 1, 2], "the first for the bias that the others read, the others for themselves"
    plain = make("plain")
    ran.clear()
    for i, block in enumerate(plain.native.blocks):
        block.register_forward_hook(lambda *_, i=i: ran.append(i))
    plain(plain(batch(), stop=3), start=3)
    assert ran == [0, 1, 2]


def test_embeddings_alone_are_an_encoder_of_one_stage():
    encoder = StagedEncoder(Plain(0).eval(), Tokens(), [], readout="mean", identity="bag")
    assert [stage.name for stage in encoder.stages] == ["embeddings"]
    assert len(encoder.stages[0].parameters) == 3
    whole = encoder(batch())
    assert torch.equal(encoder(whole, start=1).x, whole.x)
