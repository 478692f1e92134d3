"""Parameter groups: freezing, weight decay and layer-wise learning rates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from torch import Tensor, nn

from tlbench.contracts.errors import PluginError
from tlbench.modeling.encoder import Encoder

if TYPE_CHECKING:
    from tlbench.training.model import Model
    from tlbench.training.recipe.objective import Objective

Group: TypeAlias = dict[str, Any]
"""A parameter group of `torch.optim`: params (here the weights, not hyperparameters), lr, weight_decay."""


def freeze(model: Model | Encoder, stop: int) -> None:
    """Freezes the encoder's stages[:stop], so that they take no gradient; `Model` also keeps them in eval mode."""
    encoder = model if isinstance(model, Encoder) else model.encoder
    for _, parameter in encoder.stage_parameters(0, stop):
        parameter.requires_grad_(False)


def groups_of(model: nn.Module, lr: float, weight_decay: float = 0.01) -> list[Group]:
    """Returns the model's trainable parameters in two groups, with weight decay and without.

    Biases, normalisation weights and embeddings do not decay.
    """
    return _split(model.parameters(), lr, weight_decay, _embeddings(model))


def groups_with(
    objective: Objective, groups: Sequence[Group] | None, model: nn.Module, lr: float, weight_decay: float
) -> list[Group]:
    """Returns the groups of a model and of the modules that its objective trains beside it.

    Args:
        objective: The objective.
        groups: The groups of the model; None for the groups that `groups_of` returns for it.
        model: The model.
        lr: The learning rate of the objective's modules.
        weight_decay: The weight decay of new groups.
    """
    if groups is None:
        return [*groups_of(nn.ModuleList([model, *objective.modules]), lr, weight_decay), *objective.groups]
    return [*groups, *groups_of(nn.ModuleList(objective.modules), lr, weight_decay), *objective.groups]


def checked_groups(groups: Iterable[Group], needed: Sequence[str] = ()) -> list[Group]:
    """Returns the groups with their parameters as lists.

    Raises:
        PluginError: A group lacks params or another key in `needed`, or a parameter is in two groups or twice in one.
    """
    checked: list[Group] = []
    owners: dict[Tensor, int] = {}
    for number, group in enumerate(groups):
        if not isinstance(group, Mapping):
            raise PluginError(f"groups[{number}] is a {type(group).__name__}, not a dict of params, lr, weight_decay")
        if missing := [part for part in ("params", *needed) if part not in group]:
            raise PluginError(f"groups[{number}] has no {' and no '.join(missing)}: it needs params, lr, weight_decay")
        # torch accepts a single tensor in place of a list, and any iterable, which could be read only once.
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
    """Returns groups in which the head has learning rate `lr` and each stage `decay` times that of the stage above.

    Discriminative fine-tuning: Howard & Ruder 2018, arXiv:1801.06146.
    """
    embeddings = _embeddings(model)
    # An output layer tied to the word embeddings counts as the encoder's, so that it is in one group only.
    shared = set(model.encoder.parameters())
    groups = _split([p for p in model.head.parameters() if p not in shared], lr, weight_decay, embeddings)
    count = len(model.encoder.stages)
    for stage in range(model.start, count):
        weights = [parameter for _, parameter in model.encoder.stage_parameters(stage, stage + 1)]
        groups += _split(weights, lr * decay ** (count - stage), weight_decay, embeddings)
    return groups


def _split(parameters: Iterable[nn.Parameter], lr: float, weight_decay: float, embeddings: set[Tensor]) -> list[Group]:
    """Returns the non-empty groups with and without weight decay."""
    # Biases and normalisation weights are those with one dimension, in every architecture.
    trainable = [p for p in parameters if p.requires_grad]
    decayed = [p for p in trainable if p.ndim > 1 and p not in embeddings]
    others = [p for p in trainable if p.ndim <= 1 or p in embeddings]
    groups = [(decayed, weight_decay), (others, 0.0)]
    return [{"params": params, "lr": lr, "weight_decay": wd} for params, wd in groups if params]


def _embeddings(model: nn.Module) -> set[Tensor]:
    """Returns the embedding tables, kept from weight decay: it would shrink the rows of words not seen in training."""
    # A borrowed table has no weight of its own in `_parameters`.
    tables = (module._parameters["weight"] for module in model.modules() if isinstance(module, nn.Embedding))
    return {table for table in tables if table is not None}
