"""Errors of the staged encoder, and that a failed pass leaves no patch behind."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tlbench import PluginError
from tlbench.modeling.data import Batch
from tlbench.modeling.encoder import Hidden
from tlbench.modeling.stages.staged_encoder import Convention, StagedEncoder

D = 8
BLOCKS = ["blocks.0", "blocks.1", "blocks.2"]


class Tokens(Convention):
    def run(self, native: nn.Module, batch: Batch) -> Tensor:
        return native(batch["ids"])

    def sample(self, native: nn.Module) -> Batch:
        return {"ids": torch.zeros(2, 3, dtype=torch.long)}

    def standin(self, hidden: Hidden) -> Batch:
        return {"ids": torch.zeros(hidden.x.shape[:2], dtype=torch.long)}

    def pooler(self, native: nn.Module):
        return getattr(native, "pooler", None)


class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, D)
        self.blocks = nn.ModuleList([nn.Linear(D, D) for _ in range(3)])

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embed(ids)
        for block in self.blocks:
            x = block(x)
        return x


def staged(native: nn.Module, readout: str = "mean") -> StagedEncoder:
    return StagedEncoder(native.eval(), Tokens(), BLOCKS, readout=readout, identity="toy")


def batch() -> Batch:
    return {"ids": torch.arange(20).reshape(4, 5)}


def modules(encoder: StagedEncoder) -> list[tuple[str, int]]:
    return [(path, id(module)) for path, module in encoder.native.named_modules()]


def test_nothing_stays_patched_after_an_error():
    encoder = staged(Plain())
    before = modules(encoder)

    class Broken(Exception):
        pass

    def breaks(*_: object) -> None:
        raise Broken

    with torch.no_grad():
        middle = encoder(batch(), stop=2)
    handle = encoder.native.blocks[1].register_forward_pre_hook(breaks)
    for run in (lambda: encoder(middle, start=2), lambda: encoder(batch(), stop=3)):
        with pytest.raises(Broken):
            run()
        assert modules(encoder) == before
        assert torch.is_grad_enabled()
    handle.remove()
    assert torch.equal(encoder(middle, start=2).x, encoder(batch()).x)


class FromParameter(Plain):
    """The first block gets a view of a parameter, with the shape of a batch of one row."""

    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.randn(5, D))

    def forward(self, ids: Tensor) -> Tensor:
        x = self.query[: ids.shape[1]].unsqueeze(0).expand(len(ids), -1, -1)
        for block in self.blocks:
            x = block(x)
        return x


@pytest.mark.parametrize("frozen", [True, False])
def test_a_parameter_given_to_a_block_is_not_overwritten(frozen):
    encoder = staged(FromParameter())
    encoder.native.query.requires_grad_(not frozen)
    one = {"ids": batch()["ids"][:1]}
    before = encoder.native.query.detach().clone()
    with torch.no_grad():
        whole = encoder(one)
        middle = encoder(one, stop=1)
        changed = encoder(Hidden(middle.x + 1), start=1)
        assert torch.equal(encoder.native.query, before)
        assert torch.equal(encoder(middle, start=1).x, whole.x)
    assert not torch.equal(changed.x, whole.x)


class Dropping(Plain):
    """Blocks may be skipped, as by LayerDrop."""

    dropped: tuple[int, ...] = ()

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embed(ids)
        for i, block in enumerate(self.blocks):
            if i not in self.dropped:
                x = block(x)
        return x


@pytest.mark.parametrize(("dropped", "words"), [((0, 1, 2), "never used"), ((0,), "was due")])
def test_a_hidden_state_that_no_block_takes_is_an_error(dropped, words):
    encoder = staged(Dropping())
    middle = encoder(batch(), stop=2)
    encoder.native.dropped = dropped
    with pytest.raises(PluginError, match=words):
        encoder(middle, start=2)
    assert not any(type(module).__name__ == "_StandIn" for module in encoder.native.modules())


def test_a_pass_that_does_not_stop_is_an_error():
    encoder = staged(Dropping())
    encoder.native.dropped = (2,)
    with pytest.raises(PluginError, match="did not stop"):
        encoder(batch(), stop=3)


@pytest.mark.parametrize(("start", "stop"), [(0, 0), (0, 5), (-1, 2), (3, 2), (5, None)])
def test_stages_out_of_range_are_refused(start, stop):
    encoder = staged(Plain())
    given = Hidden(torch.zeros(4, 5, D)) if start else batch()
    with pytest.raises(ValueError, match="this encoder has 4"):
        encoder(given, start=start, stop=stop)


def test_a_hidden_state_in_place_of_a_batch_is_refused_and_vice_versa():
    encoder = staged(Plain())
    with pytest.raises(ValueError, match="needs a batch"):
        encoder(encoder(batch(), stop=1))
    with pytest.raises(ValueError, match="need the Hidden"):
        encoder(batch(), start=1)


def test_a_staged_encoder_has_the_training_mode_of_the_native_module():
    assert not staged(Plain()).training
    assert StagedEncoder(Plain(), Tokens(), BLOCKS, readout="mean", identity="toy").training


def test_the_pooler_readout_calls_the_pooler_of_the_library():
    native = Plain()
    with pytest.raises(PluginError, match="Plain has no pooler"):
        staged(native, "pooler")
    native.pooler = nn.Linear(D, 3)
    native.pooler.forward = lambda x: nn.functional.linear(x[:, 0], native.pooler.weight)
    encoder = staged(native, "pooler")
    assert encoder.width == 3
    assert encoder.pool(encoder(batch())).shape == (4, 3)


def test_an_unknown_readout_is_refused():
    with pytest.raises(PluginError, match="no readout 'median'"):
        staged(Plain(), "median")


def test_blocks_that_cannot_be_cut_are_refused():
    class Unused(Plain):
        def forward(self, ids: Tensor) -> Tensor:
            return self.embed(ids)

    with pytest.raises(PluginError, match=r"never called its block blocks\.0"):
        staged(Unused())

    class Named(nn.Module):
        def forward(self, x: Tensor) -> dict[str, Tensor]:
            return {"x": x}

    native = Plain()
    native.blocks[0] = Named()
    with pytest.raises(PluginError, match="returns a dict"):
        staged(native)


def test_tracing_leaves_the_global_generator_alone():
    class Draws(Plain):
        def forward(self, ids: Tensor) -> Tensor:
            return super().forward(ids) + torch.rand(())

    native = Draws().eval()
    before = torch.get_rng_state()
    staged(native)
    assert torch.equal(torch.get_rng_state(), before)
