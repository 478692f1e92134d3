"""The cache of a frozen prefix's outputs: values, keys, limits and costs."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tlbench.contracts.errors import PluginError
from tlbench.modeling.activations.activation_cache import Activations, HiddenRows
from tlbench.modeling.data import Batch, Data
from tlbench.modeling.encoder import Encoder, Hidden
from tlbench.testing.agreement import assert_same_in_fp64
from tlbench.testing.toy_encoder import ToyEncoder
from tlbench.testing.toys import ToyBackbone, ToyTask
from tlbench.training.adamw import AdamW


@pytest.fixture
def encoder() -> ToyEncoder:
    return ToyBackbone().load()


@pytest.fixture
def data() -> Data:
    return _data(ToyTask(train=48))


def _data(task: ToyTask) -> Data:
    examples = task.split("train")
    assert examples is not None
    return ToyBackbone().featurize(examples, task.output)


def _passes(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Returns a list that grows with each pass of the encoder."""
    seen: list[int] = []
    forward = encoder.forward

    def counted(batch: Batch | Hidden, start: int = 0, stop: int | None = None) -> Hidden:
        seen.append(start)
        return forward(batch, start=start, stop=stop)

    monkeypatch.setattr(encoder, "forward", counted)
    return seen


def _row_by_row(encoder: Encoder, data: Data) -> Tensor:
    with torch.no_grad():
        return torch.cat([encoder.pool(encoder(data.batch([i]))) for i in range(len(data))])


def test_features_are_the_frozen_readout_of_each_row_in_order(encoder: ToyEncoder, data: Data) -> None:
    encoder.double().train()
    features = Activations().features(encoder, data)
    assert all(module.training for module in encoder.modules()), "the modes were not put back"
    assert not features.requires_grad
    assert_same_in_fp64(features, _row_by_row(encoder.eval(), data))


def test_a_readout_with_weights_of_its_own_reads_half_precision(
    encoder: ToyEncoder, data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = encoder.forward

    def halved(batch: Batch | Hidden, start: int = 0, stop: int | None = None) -> Hidden:
        hidden = forward(batch, start=start, stop=stop)
        return replace(hidden, x=hidden.x.to(torch.bfloat16))

    monkeypatch.setattr(encoder, "forward", halved)
    monkeypatch.setattr(encoder, "pool", lambda hidden: encoder.native.blocks[0].out(hidden.x[:, 0]))
    features = Activations().features(encoder, data, "bf16-autocast")
    assert features.dtype == torch.float32
    assert not features.requires_grad
    assert bool(features.isfinite().all())


@pytest.mark.parametrize("stop", [1, 2, 3, 4])
def test_an_encoder_continues_from_hidden_rows(encoder: ToyEncoder, data: Data, stop: int) -> None:
    hidden = Activations().hidden(encoder.double(), data, stop)
    assert hidden.examples is data.examples
    assert hidden.meter is data.meter
    given = hidden.batch([5, 0, 30])["hidden"]
    with torch.no_grad():
        ended = encoder(given, start=stop) if stop < len(encoder.stages) else given
        assert_same_in_fp64(encoder.pool(ended), encoder.pool(encoder(data.batch([5, 0, 30]))))


def test_hidden_rows_hold_no_padding_and_can_be_trained_on(encoder: ToyEncoder, data: Data) -> None:
    hidden = Activations().hidden(encoder, data, 2)
    assert [len(row) for row in hidden.rows] == data.lengths.tolist()
    assert len(set(data.lengths.tolist())) > 1, "the rows should differ in length"
    encoder.pool(encoder(hidden.batch([0, 1])["hidden"], start=2)).sum().backward()
    assert all(p.grad is not None for _, p in encoder.stage_parameters(2))


def test_rows_without_a_mask_are_stacked_as_they_are() -> None:
    rows = HiddenRows(3, masked=False)
    maps = torch.randn(3, 4, 2, 2)
    rows.add([2, 0], Hidden(maps[[2, 0]]))
    rows.add([1], Hidden(maps[[1]]))
    hidden = rows.collate(rows[:])["hidden"]
    assert hidden.mask is None
    assert torch.equal(hidden.x, maps)


def test_padding_on_the_left_is_removed_too() -> None:
    rows = HiddenRows(2, masked=True)
    x = torch.arange(8.0).reshape(2, 4, 1)
    rows.add([0, 1], Hidden(x, torch.tensor([[False, False, True, True], [False, True, True, True]])))
    hidden = rows.collate([rows[0], rows[1]])["hidden"]
    assert hidden.x.squeeze(-1).tolist() == [[2, 3, 0], [5, 6, 7]]
    assert hidden.mask.tolist() == [[True, True, False], [True, True, True]]


def test_activations_are_computed_once(encoder: ToyEncoder, data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    activations = Activations()
    activations.trust(encoder)
    passes = _passes(encoder, monkeypatch)
    first = activations.features(encoder, data)
    assert passes
    before = len(passes)
    assert activations.features(encoder, replace(data)) is first
    assert len(passes) == before
    activations.hidden(encoder, data, 1)
    assert len(passes) > before


def test_encoders_share_activations_only_if_their_weights_are_equal(data: Data) -> None:
    activations = Activations()
    one, same, other = ToyBackbone().load(), ToyBackbone().load(), ToyBackbone(weights=1).load()
    for encoder in (one, same, other):
        activations.trust(encoder)
    assert activations.features(same, data) is activations.features(one, data)
    assert not torch.allclose(activations.features(other, data), activations.features(one, data))


@pytest.mark.parametrize("how", ["in place", "through .data", "by a fused optimiser", "replaced", "in a buffer"])
def test_changed_weights_never_get_the_activations_of_the_old_ones(encoder: ToyEncoder, data: Data, how: str) -> None:
    activations = Activations()
    activations.trust(encoder.double())
    before = activations.features(encoder, data).clone()
    weight = encoder.native.embeddings.weight
    if how == "in place":
        with torch.no_grad():
            weight.mul_(2)
    elif how == "through .data":
        weight.data.mul_(2)
    elif how == "by a fused optimiser":
        # not a uniform gradient, which the encoder's norms would cancel
        weight.grad = weight.detach().clone()
        AdamW([{"params": [weight], "lr": 0.1, "weight_decay": 0.0}], max_grad_norm=1.0).step(1.0)
    elif how == "replaced":
        encoder.native.embeddings.weight = torch.nn.Parameter(weight.detach() * 2)
    else:
        encoder.native.positions *= 2
    after = activations.features(encoder, data)
    assert_same_in_fp64(after, _row_by_row(encoder, data))
    assert not torch.allclose(after, before)


def test_restored_weights_get_their_cached_activations_again(
    encoder: ToyEncoder, data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    activations = Activations()
    activations.trust(encoder)
    first = activations.features(encoder, data)
    state = {name: value.clone() for name, value in encoder.state_dict().items()}
    with torch.no_grad():
        encoder.native.embeddings.weight.mul_(2)
    encoder.load_state_dict(state)
    activations.trust(encoder)
    passes = _passes(encoder, monkeypatch)
    assert activations.features(encoder, data) is first
    assert not passes


def test_training_the_top_keeps_the_cached_prefix(
    encoder: ToyEncoder, data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    activations = Activations()
    activations.trust(encoder)
    first = activations.hidden(encoder, data, 2)
    with torch.no_grad():
        for _, parameter in encoder.stage_parameters(2):
            parameter.add_(1)
    passes = _passes(encoder, monkeypatch)
    assert activations.hidden(encoder, data, 2).rows is first.rows
    assert not passes


def test_precision_and_data_are_part_of_the_key(encoder: ToyEncoder, data: Data) -> None:
    activations = Activations()
    fp32 = activations.features(encoder, data, "fp32")
    bf16 = activations.features(encoder, data, "bf16-autocast")
    assert bf16.dtype == torch.float32
    assert not torch.equal(fp32, bf16)
    assert len(activations.features(encoder, data.take([3, 1]), "fp32")) == 2


def test_augmented_data_is_refused(encoder: ToyEncoder, data: Data) -> None:
    augmented = replace(data, augmented=True)
    with pytest.raises(PluginError, match="augmented"):
        Activations().features(encoder, augmented)
    with pytest.raises(PluginError, match="augmented"):
        Activations().hidden(encoder, augmented, 1)


def test_the_least_recently_used_entries_are_removed_first(encoder: ToyEncoder) -> None:
    sets = [_data(ToyTask(train=16, draw=draw)) for draw in range(3)]
    activations = Activations(limit_bytes=2 * 16 * encoder.width * 4)
    a, b = (activations.features(encoder, one) for one in sets[:2])
    assert activations.features(encoder, sets[0]) is a
    activations.features(encoder, sets[2])
    assert activations.size_bytes <= activations.limit_bytes
    assert activations.features(encoder, sets[0]) is a
    b, before = activations.features(encoder, sets[1]), b
    assert b is not before
    activations.forget(sets[0].fingerprint)
    assert activations.features(encoder, sets[1]) is b
    assert activations.features(encoder, sets[0]) is not a
    activations.clear()
    assert activations.size_bytes == 0


def test_hidden_states_beyond_the_memory_limit_are_not_cached(encoder: ToyEncoder, data: Data) -> None:
    activations = Activations(limit_bytes=100)
    assert activations.hidden(encoder, data, 1) is data
    assert activations.size_bytes == 0


def test_hidden_states_with_extras_are_not_cached(
    encoder: ToyEncoder, data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = encoder.forward

    def with_extras(batch: Batch | Hidden, start: int = 0, stop: int | None = None) -> Hidden:
        return replace(forward(batch, start=start, stop=stop), extras={"positions": torch.zeros(1)})

    monkeypatch.setattr(encoder, "forward", with_extras)
    assert Activations().hidden(encoder, data, 1) is data


def test_hidden_rows_are_not_encoded_again(encoder: ToyEncoder, data: Data) -> None:
    activations = Activations()
    hidden = activations.hidden(encoder, data, 1)
    assert activations.hidden(encoder, hidden, 1) is hidden


def test_standalone_and_paid_seconds_are_counted_separately(encoder: ToyEncoder, data: Data) -> None:
    activations = Activations()
    with activations.metering() as first:
        activations.features(encoder, data)
        activations.features(encoder, data)
    assert first.encode_seconds == first.encode_paid_seconds > 0
    with activations.metering() as second:
        activations.features(encoder, data)
        with activations.metering() as inner:
            activations.hidden(encoder, data, 1)
    assert second.encode_paid_seconds == inner.encode_paid_seconds == inner.encode_seconds > 0
    assert second.encode_seconds == pytest.approx(first.encode_seconds + inner.encode_seconds)
    activations.features(encoder, data.take([0]))
    assert len(first.read) == 1, "a meter that has ended still counts"


def test_features_of_all_parts_come_from_one_encoding_of_the_whole() -> None:
    backbone, task = ToyBackbone(), ToyTask(train=12)
    examples = task.split("train")
    assert examples is not None
    data, encoder, activations = backbone.featurize(examples, task.output), backbone.load(), Activations()
    activations.trust(encoder)
    alone = Activations().features(encoder, data)
    for positions in ([3, 1, 5], [7, 3, 0, 11]):
        part = data.share(positions)
        assert part.ids == tuple(examples[i].id for i in positions)
        with activations.metering() as usage:
            assert torch.equal(activations.features(encoder, part), alone[positions])
        whole = next(iter(activations._entries.values())).encode_seconds
        assert usage.encode_seconds == pytest.approx(whole * len(positions) / 12)
    assert usage.encode_paid_seconds == 0
    assert len(activations._entries) == 1


def test_hidden_rows_of_parts_are_read_out_of_the_whole_on_request(encoder: ToyEncoder, data: Data) -> None:
    activations = Activations()
    alone = Activations().hidden(encoder, data, 2)
    with activations.metering() as usage:
        for positions in ([3, 1, 5], [7, 3, 0, 11]):
            part = activations.hidden(encoder, data.share(positions), 2, whole=True)
            assert part.ids == tuple(data.ids[i] for i in positions)
            from_whole, expected = part.batch(range(len(positions)))["hidden"], alone.batch(positions)["hidden"]
            assert torch.equal(from_whole.x, expected.x)
            assert torch.equal(from_whole.mask, expected.mask)
    (whole,) = activations._entries.values()
    assert usage.encode_seconds == pytest.approx(whole.encode_seconds * 4 / 48), "not the sum over the parts"
    activations.hidden(encoder, data.share([3, 1, 5]), 2)
    assert len(activations._entries) == 2, "without `whole` a part is encoded alone"


def test_a_part_is_cached_even_if_the_whole_does_not_fit(encoder: ToyEncoder, data: Data) -> None:
    activations = Activations(limit_bytes=int(data.lengths[:2].sum()) * encoder.width * 4)
    hidden = activations.hidden(encoder, data.share([0, 1]), 2, whole=True)
    assert isinstance(hidden.rows, HiddenRows)
    assert len(hidden) == 2
