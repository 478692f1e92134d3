"""Stacked heads equal torch's own modules and optimiser one by one, and do not affect each other.

Features and results are in fp64, except in one comparison in fp32.
"""

from __future__ import annotations

import dataclasses
import itertools

import pytest
import torch
from torch import Tensor, nn

from tlbench.testing.agreement import assert_rounded_alike, assert_same_in_fp64
from tlbench.training.probes import stacked
from tlbench.training.probes.stacked import HeadSetting, Layers, train_heads
from tlbench.training.recipe.schedules import rate

pytestmark = pytest.mark.equivalence


def _features(rows: int = 90, width: int = 10, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    drawn, mixed = (torch.randn(count, width, generator=generator).double() for count in (rows, width))
    return 2 + drawn @ mixed


def _ring(features: Tensor, classes: int = 2) -> Tensor:
    """Returns classes by the distance from the mean, which no linear map can separate."""
    x = (features - features.mean(0)) / features.std(0)
    order = x[:, :2].square().sum(1).argsort().argsort()
    return order * classes // len(order)


def _settings(count: int = 4, steps: int = 40) -> list[HeadSetting]:
    features = _features()
    targets = _ring(features)
    return [HeadSetting(features, targets, 0, 3e-3 * 2**i, 0.1 * i, steps) for i in range(count)]


def _alone(setting: HeadSetting, outputs: int, hidden: list[int], **options: object) -> Layers:
    (head,) = train_heads([setting], outputs, hidden, **options)  # type: ignore[arg-type]
    return head


def _assert_alike(mine: Layers, other: Layers) -> None:
    for one, two in zip(mine.maps, other.maps, strict=True):
        assert_same_in_fp64(one.weight, two.weight)
        assert_same_in_fp64(one.bias, two.bias)


@pytest.mark.parametrize(("hidden", "activation"), [([12], "gelu"), ([12, 7], "relu"), ([], "gelu")])
@pytest.mark.parametrize("kind", ["classes", "number", "labels"])
def test_a_head_is_what_torchs_own_modules_give(hidden: list[int], activation: str, kind: str) -> None:
    """Compared with the same initial weights and batches in `nn.Sequential` and `torch.optim.AdamW`."""
    mine, exact = _both(_features(), hidden, activation, kind)
    assert_same_in_fp64(mine, exact)
    assert_rounded_alike(*_both(_features().float(), hidden, activation, kind), exact)


def _both(features: Tensor, hidden: list[int], activation: str, kind: str) -> tuple[Tensor, Tensor]:
    """Returns the predictions (N, K) of a stacked head and of torch's own modules, in the features' dtype."""
    x = (features - features.mean(0)) / features.std(0, unbiased=False)
    targets, outputs = {
        "classes": (_ring(features, 3), 3),
        "number": (x[:, 0] * x[:, 1], 1),
        "labels": (torch.stack([_ring(features), _ring(features.flip(1))], dim=1), 2),
    }[kind]
    setting = HeadSetting(features, targets, seed=5, lr=1e-2, weight_decay=0.3, steps=25)
    mine = _alone(setting, outputs, hidden, activation=activation, batch_size=16)

    widths = [10, *hidden, outputs]
    first, _ = stacked._first_weights([5], widths, x)
    layers = [nn.Linear(before, after, dtype=x.dtype) for before, after in itertools.pairwise(widths)]
    for layer, weight in zip(layers, first, strict=True):
        layer.weight.data = weight[0].T.contiguous()
        layer.bias.data.zero_()
    between = nn.GELU() if activation == "gelu" else nn.ReLU()
    module = nn.Sequential(*[part for layer in layers for part in (layer, between)][:-1])
    groups = [
        {"params": [layer.weight for layer in layers], "weight_decay": 0.3},
        {"params": [layer.bias for layer in layers], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=1e-2)
    order = stacked._Stream.of(setting, x, 16).order
    for step in range(25):
        for group in optimizer.param_groups:
            group["lr"] = 1e-2 * rate(step, 25, 0.1)
        logits = module(x[order[step]])
        batch_targets = targets[order[step]]
        if kind == "classes":
            loss = nn.functional.cross_entropy(logits, batch_targets)
        elif kind == "number":
            loss = (logits[:, 0] - batch_targets).square().mean()
        else:
            loss = nn.functional.binary_cross_entropy_with_logits(logits, batch_targets.to(logits))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return mine(features), module(x).detach()


def test_it_learns_what_no_linear_map_can() -> None:
    features = _features(400, 6)
    setting = HeadSetting(features, _ring(features), 0, 1e-2, 0.1, 400)
    right = (_alone(setting, 2, [32])(features).argmax(-1) == setting.targets).float().mean()
    linear = (_alone(setting, 2, [])(features).argmax(-1) == setting.targets).float().mean()
    assert right > 0.93
    assert linear < 0.75


def test_a_setting_is_not_changed_by_its_neighbours() -> None:
    settings = _settings()
    for setting, head in zip(settings, train_heads(settings, 2, [12], batch_size=16), strict=True):
        _assert_alike(head, _alone(setting, 2, [12], batch_size=16))


def test_seeds_have_their_own_rows_weights_and_order() -> None:
    subsets = [_features(seed=seed) for seed in range(3)]
    settings = [HeadSetting(x, _ring(x), seed, 1e-2, 0.1, 30) for seed, x in enumerate(subsets) for _ in range(2)]
    settings.append(HeadSetting(_features(50), _ring(_features(50)), 7, 1e-2, 0.1, 30))
    settings.append(dataclasses.replace(settings[0], steps=11))
    settings.append(dataclasses.replace(settings[0], seed=9))
    together = train_heads(settings, 2, [12], batch_size=16)
    for setting, head in zip(settings, together, strict=True):
        _assert_alike(head, _alone(setting, 2, [12], batch_size=16))
    _assert_alike(together[0], together[1])
    assert not torch.allclose(together[0].maps[0].weight, together[-1].maps[0].weight, atol=1e-2)


def test_a_setting_that_diverges_does_not_affect_the_others() -> None:
    settings = _settings()
    wild = dataclasses.replace(settings[1], lr=float("inf"))
    together = train_heads([settings[0], wild, *settings[2:]], 2, [12])
    assert [head.is_finite for head in together] == [True, False, True, True]
    for index in (0, 2, 3):
        _assert_alike(together[index], _alone(settings[index], 2, [12]))


def test_settings_that_do_not_fit_at_once_go_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _settings(5)
    whole = train_heads(settings, 2, [12])
    monkeypatch.setattr(stacked, "MAX_WEIGHTS", 2 * (11 * 12 + 13 * 2))
    for head, other in zip(whole, train_heads(settings, 2, [12]), strict=True):
        _assert_alike(head, other)


def test_each_pass_has_every_row_once_and_few_rows_make_small_batches() -> None:
    setting = HeadSetting(_features(10), torch.zeros(10, dtype=torch.int64), 3, 0.1, 0, steps=6)
    order = stacked._Stream.of(setting, setting.features, 5).order
    assert order.shape == (6, 5)
    assert [sorted(order[i : i + 2].flatten().tolist()) for i in (0, 2, 4)] == [list(range(10))] * 3
    assert order[:2].tolist() != order[2:4].tolist()
    assert stacked._Stream.of(setting, setting.features, 64).order.shape == (6, 10)


def test_a_constant_feature_has_no_weight_and_weights_are_counted() -> None:
    features = _features()
    features[:, 4] = 7.0
    head = _alone(HeadSetting(features, _ring(features), 0, 1e-2, 0.1, 20), 2, [12])
    assert head.is_finite
    assert not head.maps[0].weight[:, 4].any()
    assert head.parameters == 10 * 12 + 12 + 12 * 2 + 2


def test_no_setting_is_no_work() -> None:
    assert train_heads([], 2, [12]) == []
