"""What a strategy gives the training loop, checked: a loss, an optimiser, and groups that hold what is trained."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from tlbench.contracts.errors import PluginError
from tlbench.modeling.trained_weights import note_trained
from tlbench.training.model import Model
from tlbench.training.parameters import Group
from tlbench.training.steps import Loss, NewOptimizer


def made_optimizer(new: NewOptimizer, groups: list[Group]) -> torch.optim.Optimizer:
    """Returns the optimiser that a strategy makes of the groups.

    Raises:
        PluginError: It makes none, or one that the loop cannot step.
    """
    where = f"optimizer={_name(new)}"
    wanted = "train() wants a function of the groups that returns a torch.optim.Optimizer, such as torch.optim.SGD"
    if not callable(new):
        raise PluginError(f"{where} is an object that cannot be called: {wanted}")
    try:
        made = new(groups)
    except (TypeError, ValueError) as error:
        raise PluginError(f"{where} raised {type(error).__name__}: {error}; {wanted}") from error
    lacking = [name for name in ("step", "zero_grad") if not callable(getattr(made, name, None))]
    lacking += [] if isinstance(getattr(made, "param_groups", None), list) else ["param_groups"]
    if lacking:
        raise PluginError(f"{where} returned {_described(made)}, which has no {' and no '.join(lacking)}: {wanted}")
    if asked := [name for name, one in inspect.signature(made.step).parameters.items() if _is_required(one)]:
        raise PluginError(
            f"{where} returned {_described(made)}, whose step() needs {', '.join(asked)}: the loop calls step() with"
            " nothing, after one pass over a batch; take another optimiser, or write a loop of your own"
        )
    for group in made.param_groups:
        if not isinstance(group.get("lr"), int | float | Tensor):
            raise PluginError(
                f"{where} returned {_described(made)} with lr={group.get('lr')!r} in a group: give it a number, which"
                " the loop scales at each step"
            )
    return made


def check_loss(value: object, loss: Loss | None, model: Model) -> Tensor:
    """Returns the loss of a step, which is one number with a gradient.

    Raises:
        PluginError: It is something else.
    """
    if isinstance(value, Tensor) and value.ndim == 0 and value.requires_grad:
        return value
    where = f"loss={_name(loss)}" if loss is not None else f"{type(model.head).__name__}.loss"
    if isinstance(value, Tensor) and value.ndim:
        advice = "take its mean() or sum()"
    elif isinstance(value, Tensor):
        advice = "compute it from step.model(step.batch), without no_grad() or detach()"
    else:
        advice = "return the tensor itself, without item() or float()"
    without = " without a gradient" if isinstance(value, Tensor) and not value.requires_grad else ""
    wanted = "train() wants a scalar tensor, of shape (), with a gradient"
    raise PluginError(f"{where} returned {_described(value)}{without}; {wanted}: {advice}")


class GroupCheck:
    """Refuses weights that take a gradient and that nothing moves; keeps which ones were trained."""

    def __init__(self, model: Model, grouped: Callable[[], Sequence[nn.Parameter]]) -> None:
        self._model, self._grouped = model, grouped
        self._trainable: list[nn.Parameter] = []

    def __call__(self) -> None:
        """Looks again where other weights are trainable than at the last look.

        Raises:
            PluginError: One of them is in no group, or below the stage where the model begins to be trained.
        """
        model = self._model
        trainable = [weight for weight in model.parameters() if weight.requires_grad]
        if list(map(id, trainable)) == list(map(id, self._trainable)):
            return
        self._trainable, grouped = trainable, set(self._grouped())
        below = {weight for _, weight in model.encoder.stage_parameters(0, model.start)} if model.start else set()
        for name, weight in model.named_parameters():
            if weight.requires_grad and weight not in grouped:
                raise PluginError(
                    f"{name} takes a gradient and is in no group, so that nothing would move it: pass groups=... with"
                    " every weight that will ever be trained, or freeze it by requires_grad_(False)"
                )
            if weight.requires_grad and weight in below:
                raise PluginError(
                    f"{name} takes a gradient and belongs to stages[:{model.start}], which Model(start={model.start})"
                    " keeps frozen: begin with a smaller start, and freeze() what is not to be trained yet"
                )
        for part in (model, model.encoder, model.head):
            note_trained(part, trainable)


def _is_required(parameter: inspect.Parameter) -> bool:
    several = (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    return parameter.default is parameter.empty and parameter.kind not in several


def _name(function: object) -> str:
    name = getattr(function, "__qualname__", type(function).__qualname__)
    return f"{getattr(function, '__module__', None) or '?'}.{name}"


def _described(value: object) -> str:
    return f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
