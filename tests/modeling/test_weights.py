"""Noticing changed weights: at every look, and in full no oftener than need be."""

from __future__ import annotations

import pytest
import torch

from tlbench.modeling import weights
from tlbench.modeling.weights import WeightTracker, weights_digest
from tlbench.testing.toy_encoder import ToyEncoder
from tlbench.testing.toys import ToyBackbone


@pytest.fixture
def encoder() -> ToyEncoder:
    return ToyBackbone().load()


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Returns a list that grows with each reading in full, of a tensor or of them all."""
    seen: list[int] = []
    for name in ("_bit_sum", "weights_digest"):
        function = getattr(weights, name)
        monkeypatch.setattr(weights, name, lambda *what, f=function: (seen.append(1), f(*what))[1])
    return seen


def test_a_fit_reads_all_bits_at_its_first_look_alone(encoder: ToyEncoder, read: list[int]) -> None:
    tracker = WeightTracker()
    tracker.trust(encoder)
    assert tracker.changed_digest(encoder, 4) is None
    first = len(read)
    assert first > 0
    for _ in range(3):
        assert tracker.changed_digest(encoder, 4) is None
    assert len(read) == first
    tracker.trust(encoder)
    assert tracker.changed_digest(encoder, 4) is None
    assert len(read) > first, "the next fit takes the last one's word for it"


def test_another_prefix_is_another_look(encoder: ToyEncoder, read: list[int]) -> None:
    tracker = WeightTracker()
    tracker.trust(encoder)
    tracker.changed_digest(encoder, 1)
    before = len(read)
    assert tracker.changed_digest(encoder, 2) is None
    assert len(read) > before


@pytest.mark.parametrize("optimiser", [torch.optim.AdamW, torch.optim.SGD])
def test_a_step_of_a_fused_optimiser_is_noticed_however_little_it_moves(encoder: ToyEncoder, optimiser: type) -> None:
    tracker = WeightTracker()
    tracker.trust(encoder)
    weight = encoder.native.embeddings.weight
    assert tracker.changed_digest(encoder, 4) is None
    places, sample = weights._version(weight), weights._sample(weight)
    weight.grad = torch.zeros_like(weight)
    # a row between two sampled elements, as the one word that a batch met
    flat = torch.arange(weight.numel())
    taken = set(flat[:: weight.numel() // weights.SAMPLES].tolist())
    row = next(r for r in range(len(weight)) if not taken & set(range(r * weight.shape[1], (r + 1) * weight.shape[1])))
    weight.grad[row] = 1
    optimiser([weight], lr=0.1, weight_decay=0.0, fused=True).step()
    assert torch.equal(weights._sample(weight), sample), "the case must escape the sample"
    if optimiser is torch.optim.AdamW:
        assert weights._version(weight) == places, "the case must escape torch's own counter"
    assert tracker.changed_digest(encoder, 4) == weights_digest(encoder, 4)


def test_steps_above_a_frozen_prefix_leave_it_trusted(encoder: ToyEncoder) -> None:
    tracker = WeightTracker()
    tracker.trust(encoder)
    top = [parameter for _, parameter in encoder.stage_parameters(2)]
    for parameter in top:
        parameter.grad = torch.ones_like(parameter)
    torch.optim.AdamW(top, fused=True).step()
    assert tracker.changed_digest(encoder, 2) is None
    assert tracker.changed_digest(encoder, 3) is not None


def test_weights_that_were_put_back_by_hand_are_the_same_again(encoder: ToyEncoder) -> None:
    tracker = WeightTracker()
    tracker.trust(encoder)
    assert tracker.changed_digest(encoder, 4) is None
    state = {name: value.clone() for name, value in encoder.state_dict().items()}
    with torch.no_grad():
        encoder.native.embeddings.weight.mul_(2)
    changed = tracker.changed_digest(encoder, 4)
    assert changed is not None
    encoder.load_state_dict(state)
    assert tracker.changed_digest(encoder, 4) is None


def test_weights_that_nobody_vouched_for_are_digested_once(encoder: ToyEncoder, read: list[int]) -> None:
    tracker = WeightTracker()
    digest = tracker.changed_digest(encoder, 4)
    assert digest == weights_digest(encoder, 4)
    before = len(read)
    assert tracker.changed_digest(encoder, 4) == digest
    assert len(read) == before


def test_an_encoder_put_back_wrongly_is_not_believed(encoder: ToyEncoder) -> None:
    tracker = WeightTracker()
    tracker.trust(encoder)
    with torch.no_grad():
        encoder.native.norm.bias.add_(1)
    tracker.trust(encoder)
    assert tracker.changed_digest(encoder, 4) is not None
