"""The scalar mix of layers: the weights that it learns, together with a head."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tlbench.training.probes.scalar_mix import ROWS, scalar_mixes
from tlbench.training.probes.stacked import losses_of


def _layers(rows: int = 200) -> tuple[Tensor, Tensor]:
    """Returns noise as three layers, of which the second has the classes in its features, and the classes."""
    generator = torch.Generator().manual_seed(0)
    classes = torch.arange(rows) % 3
    layers = torch.randn(3, rows, 8, generator=generator, dtype=torch.float64)
    layers[1, :, :3] += torch.nn.functional.one_hot(classes, 3)
    return (layers - layers.mean(1, keepdim=True)) / layers.std(1, keepdim=True), classes


@pytest.mark.parametrize("rows", [200, 2 * ROWS])
def test_the_layer_that_tells_the_classes_has_most_of_the_weight(rows: int) -> None:
    layers, classes = _layers(rows)
    mixes = scalar_mixes(layers, classes, 3, [1e-3, 1.0])
    assert torch.allclose(mixes.sum(1), torch.ones(2, dtype=torch.float64))
    assert (mixes[:, 1] > 0.8).all()


def test_numbers_and_labels_are_told_from_the_same_layer() -> None:
    layers, classes = _layers()
    assert scalar_mixes(layers, (classes == 0).double(), 1, [0.1])[0].argmax() == 1
    assert scalar_mixes(layers, torch.nn.functional.one_hot(classes, 3).float(), 3, [0.1])[0].argmax() == 1


def test_each_penalty_has_the_weights_that_it_has_alone() -> None:
    layers, classes = _layers()
    weights = torch.where(classes == 0, 5.0, 1.0)
    together = scalar_mixes(layers, classes, 3, [1e-4, 0.1, 5.0], weights)
    alone = torch.cat([scalar_mixes(layers, classes, 3, [penalty], weights) for penalty in (1e-4, 0.1, 5.0)])
    torch.testing.assert_close(together, alone, rtol=1e-8, atol=1e-10)
    assert not torch.allclose(together, scalar_mixes(layers, classes, 3, [1e-4, 0.1, 5.0]), atol=1e-4)


def test_the_objective_is_as_low_as_lbfgs_finds_it() -> None:
    """All three layers tell a part, so that the best weights are inside the simplex."""
    generator = torch.Generator().manual_seed(1)
    layers, numbers = torch.randn(3, 300, 4, generator=generator, dtype=torch.float64), torch.zeros(300).double()
    numbers = layers[0, :, 0] + 0.5 * layers[1, :, 0] + 0.2 * layers[2, :, 0]
    layers = (layers - layers.mean(1, keepdim=True)) / layers.std(1, keepdim=True, unbiased=False)
    correlations = layers.flatten(1) @ layers.flatten(1).T / layers[0].numel()

    def lowest(logits: Tensor, *, free: bool) -> float:
        weight, bias = torch.zeros(4, 1).double().requires_grad_(True), torch.zeros(1).double().requires_grad_(True)
        logits = logits.detach().clone().requires_grad_(free)
        optimizer = torch.optim.LBFGS(
            [weight, bias, *[logits] * free], max_iter=500, line_search_fn="strong_wolfe", tolerance_grad=1e-10
        )

        def objective() -> Tensor:
            optimizer.zero_grad()
            shares = logits.softmax(0)
            mixture = torch.einsum("l,lnd->nd", shares * (shares @ correlations @ shares).rsqrt(), layers)
            value = losses_of((mixture @ weight + bias)[None], numbers[None], None)[0] + 0.1 * weight.square().sum()
            value.backward()
            return value

        optimizer.step(objective)
        return objective().item()

    mine = lowest(scalar_mixes(layers, numbers, 1, [0.1])[0].log(), free=False)
    assert mine <= lowest(torch.zeros(3).double(), free=True) * 1.005
    assert mine < lowest(torch.zeros(3).double(), free=False) * 0.95
