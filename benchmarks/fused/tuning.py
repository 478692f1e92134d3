"""An experiment: the top of an encoder fine-tuned with several learning rates at once, by `torch.func`.

The weights that are trained are stacked and the model is mapped over them by `vmap`; what is frozen below comes from
the cached activations in both ways. Dropout is off, so that the two ways can be compared weight by weight.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from benchmarks.fused.heads import Case
from benchmarks.fused.material import Material
from tlbench import Classes
from tlbench.modeling.data import Data
from tlbench.modeling.heads import PooledHead
from tlbench.training import Model, groups_of, train_batches
from tlbench.training.adamw import AdamW
from tlbench.training.model import placed
from tlbench.training.probes.stacked import adamw_stacked

BATCH, STEPS, TOP = 16, 12, 2
COUNTS = (2, 4, 8)


def cases(material: Material, lora: bool) -> Iterator[Case]:
    """Yields a case for each number of settings; with `lora`, adapters of rank 8 in the same stages are trained."""
    start = len(material.encoder.stages) - TOP
    data = material.activations.hidden(material.encoder, material.data, start)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        head = PooledHead(material.encoder.width, Classes(("no", "yes")))
        model = Model(copy.deepcopy(material.encoder), head, start)
        if lora:
            _add_lora(model)
    # in the features' own numbers too: a head is made in fp32
    model.to(material.features).eval()
    for count in COUNTS:
        rates = [float(rate) for rate in np.geomspace(1e-4, 1e-3, count)]
        name = f"{'LoRA in' if lora else 'all of'} the top {TOP} stages, {count} settings"
        yield Case(
            name,
            lambda rates=rates: [_alone(model, data, material.targets, rate) for rate in rates],
            lambda rates=rates: _together(model, data, material.targets, rates),
        )


def _add_lora(model: Model) -> None:
    from peft import LoraConfig, inject_adapter_in_model

    model.encoder.native.requires_grad_(False)
    names = [
        name
        for stage in model.encoder.stages[model.start :]
        for name in stage.parameters
        if name.endswith(("query.weight", "value.weight"))
    ]
    config = LoraConfig(r=8, target_modules=[name.removesuffix(".weight") for name in names], init_lora_weights=False)
    inject_adapter_in_model(config, model.encoder.native)


def _alone(model: Model, data: Data, targets: Tensor, lr: float) -> Tensor:
    """Returns the trained weights in one row, after steps as `tlbench.training.train` takes them."""
    model = copy.deepcopy(model)
    optimizer = AdamW(groups_of(model, lr), max_grad_norm=1e9)
    for indices in _batches(data):
        model.head.loss(model(placed(data.batch(indices), targets.device)), targets[indices]).backward()
        optimizer.step(1.0)
    return torch.cat([weight.detach().flatten() for weight in _trained(model).values()])


def _together(model: Model, data: Data, targets: Tensor, rates: list[float]) -> list[Tensor]:
    """Returns the same for each learning rate, one batch through all of them at once."""
    names = list(_trained(model))
    stacked, _ = stack_module_state([model] * len(rates))  # type: ignore[arg-type]
    weights = {name: stacked[name].detach().requires_grad_(True) for name in names}
    means = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    squares = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    lr = torch.tensor(rates, dtype=weights[names[0]].dtype, device=targets.device)
    decay = torch.full_like(lr, 0.01)
    for step, indices in enumerate(_batches(data), 1):
        batch, wanted = placed(data.batch(indices), targets.device), targets[indices]

        def loss(some: dict[str, Tensor], batch: Any = batch, wanted: Tensor = wanted) -> Tensor:
            value: Tensor = model.head.loss(functional_call(model, some, (batch,)), wanted)
            return value

        gradients = torch.autograd.grad(vmap(loss)(weights).sum(), list(weights.values()))
        with torch.no_grad():
            for (name, weight), gradient in zip(weights.items(), gradients, strict=True):
                decayed = decay if weight.ndim > 2 else None
                adamw_stacked(weight, gradient, means[name], squares[name], lr, decayed, step)
    return [torch.cat([weights[name][i].detach().flatten() for name in names]) for i in range(len(rates))]


def _trained(model: nn.Module) -> dict[str, Tensor]:
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}


def _batches(data: Data) -> Iterator[list[int]]:
    return itertools.islice(train_batches(data.lengths, BATCH, seed=0), STEPS)
