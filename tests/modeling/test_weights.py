"""Changed weights are noticed at every check, and all bits are read no more often than necessary."""

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
    """Returns a list that grows each time all bits of a tensor, or a digest of all tensors, are read."""
    seen: list[int] = []
    for name in ("_bit_sum", "weights_digest"):
        function = getattr(weights, name)
        monkeypatch.setattr(weights, name, lambda *what, f=function: (seen.append(1), f(*what))[1])
    return seen


def test_all_bits_are_read_at_the_first_check_of_a_fit_only(encoder: ToyEncoder, read: list[int]) -> None:
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
    assert len(read) > first, "the next fit relied on the checks of the last one"


def test_each_prefix_is_checked_in_full_once(encoder: ToyEncoder, read: list[int]) -> None:
    tracker = WeightTracker()
    tracker.trust(encoder)
    tracker.changed_digest(encoder, 1)
    before = len(read)
    assert tracker.changed_digest(encoder, 2) is None
    assert len(read) > before


@pytest.mark.parametrize("optimiser", [torch.optim.AdamW, torch.optim.SGD])
def test_a_step_of_a_fused_optimiser_is_noticed_even_if_it_misses_the_sample(
    encoder: ToyEncoder, optimiser: type
) -> None:
    tracker = WeightTracker()
    tracker.trust(encoder)
    weight = encoder.native.embeddings.weight
    assert tracker.changed_digest(encoder, 4) is None
    places, sample = weights._version(weight), weights._sample(weight)
    weight.grad = torch.zeros_like(weight)
    # a row between two sampled elements, such as the only word in a batch
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


def test_weights_restored_by_hand_count_as_unchanged(encoder: ToyEncoder) -> None:
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


def test_untrusted_weights_are_digested_once(encoder: ToyEncoder, read: list[int]) -> None:
    tracker = WeightTracker()
    digest = tracker.changed_digest(encoder, 4)
    assert digest == weights_digest(encoder, 4)
    before = len(read)
    assert tracker.changed_digest(encoder, 4) == digest
    assert len(read) == before


def test_a_wrongly_restored_encoder_counts_as_changed(encoder: ToyEncoder) -> None:
    tracker = WeightTracker()
    tracker.trust(encoder)
    with torch.no_grad():
        encoder.native.norm.bias.add_(1)
    tracker.trust(encoder)
    assert tracker.changed_digest(encoder, 4) is not None
