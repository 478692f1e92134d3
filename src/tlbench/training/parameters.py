"""Which weights are trained, and how fast: freezing, decay groups, layer-wise learning rates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from torch import Tensor, nn

from tlbench.contracts.errors import PluginError
from tlbench.modeling.encoder import Encoder

if TYPE_CHECKING:
    from tlbench.training.model import Model

Group: TypeAlias = dict[str, Any]
"""What torch's optimisers take: params, lr, weight_decay."""


def freeze(model: Model | Encoder, stop: int) -> None:
    """Makes the encoder's stages[:stop] take no gradient; `Model` keeps what is frozen in eval mode."""
    encoder = model if isinstance(model, Encoder) else model.encoder
    for _, parameter in encoder.stage_parameters(0, stop):
        parameter.requires_grad_(False)


def groups_of(model: nn.Module, lr: float, weight_decay: float = 0.01) -> list[Group]:
    """Returns one group of the model's trainable weights that decay and one of those that do not."""
    return _split(model.parameters(), lr, weight_decay, _embeddings(model))


def checked_groups(groups: Iterable[Group], needed: Sequence[str] = ()) -> list[Group]:
    """Returns the groups with their weights as lists.

    Raises:
        PluginError: A group has no params or lacks another part that is needed, or a weight stands in two groups or
            twice in one.
    """
    checked: list[Group] = []
    owners: dict[Tensor, int] = {}
    for number, group in enumerate(groups):
        if not isinstance(group, Mapping):
            raise PluginError(f"groups[{number}] is a {type(group).__name__}, not a dict of params, lr, weight_decay")
        if missing := [part for part in ("params", *needed) if part not in group]:
            raise PluginError(f"groups[{number}] has no {' and no '.join(missing)}: it needs params, lr, weight_decay")
        weights = [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
        for weight in weights:
            if weight in owners:
                where = f"groups[{number}] and groups[{owners[weight]}] hold"
                where = f"groups[{number}] holds twice" if owners[weight] == number else where
                raise PluginError(
                    f"{where} a weight of shape {tuple(weight.shape)}: each step would move it twice; name it once"
                )
            owners[weight] = number
        checked.append({**group, "params": weights})
    return checked


def layer_decayed(model: Model, lr: float, decay: float, weight_decay: float = 0.01) -> list[Group]:
    """Returns groups in which the head learns at `lr` and each stage below at `decay` times the one above.

    Howard & Ruder 2018, arXiv:1801.06146 (discriminative fine-tuning).
    """
    plain = _embeddings(model)
    # an output layer that is tied to the table of words is the encoder's, and moves once
    shared = set(model.encoder.parameters())
    groups = _split([p for p in model.head.parameters() if p not in shared], lr, weight_decay, plain)
    count = len(model.encoder.stages)
    for stage in range(model.start, count):
        weights = [parameter for _, parameter in model.encoder.stage_parameters(stage, stage + 1)]
        groups += _split(weights, lr * decay ** (count - stage), weight_decay, plain)
    return groups


def _split(parameters: Iterable[nn.Parameter], lr: float, weight_decay: float, plain: set[Tensor]) -> list[Group]:
    """Returns non-empty groups: matrices decay; biases and norms, which have one dimension, and `plain` do not."""
    trainable = [p for p in parameters if p.requires_grad]
    decayed = [p for p in trainable if p.ndim > 1 and p not in plain]
    others = [p for p in trainable if p.ndim <= 1 or p in plain]
    groups = [(decayed, weight_decay), (others, 0.0)]
    return [{"params": params, "lr": lr, "weight_decay": wd} for params, wd in groups if params]


def _embeddings(model: nn.Module) -> set[Tensor]:
    """Returns the weights of lookup tables: decay would shrink words that training never shows."""
    tables = (module._parameters["weight"] for module in model.modules() if isinstance(module, nn.Embedding))
    return {table for table in tables if table is not None}
