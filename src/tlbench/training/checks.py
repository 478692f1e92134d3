"""Validation of the loss, the optimiser and the parameter groups that a strategy passes to the training loop."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from tlbench.contracts.errors import PluginError
from tlbench.modeling.weights import note_trained
from tlbench.training.model import Model
from tlbench.training.parameters import Group
from tlbench.training.steps import Loss, NewOptimizer


def build_optimizer(factory: NewOptimizer, groups: list[Group]) -> torch.optim.Optimizer:
    """Returns the optimiser that a strategy's factory builds for the groups.

    Raises:
        PluginError: The factory does not return an optimiser, or the loop cannot use it.
    """
    source = f"optimizer={_qualified_name(factory)}"
    expected = "train() expects a function of the groups that returns a torch.optim.Optimizer, such as torch.optim.SGD"
    if not callable(factory):
        raise PluginError(f"{source} is an object that cannot be called: {expected}")
    # Optimisers raise one of these two for unsuitable groups; other exceptions are bugs and keep their traceback.
    try:
        built = factory(groups)
    except (TypeError, ValueError) as error:
        raise PluginError(f"{source} raised {type(error).__name__}: {error}; {expected}") from error
    # Checked by its methods rather than by isinstance, because wrappers of optimisers need not inherit from torch's.
    missing = [name for name in ("step", "zero_grad") if not callable(getattr(built, name, None))]
    missing += [] if isinstance(getattr(built, "param_groups", None), list) else ["param_groups"]
    if missing:
        raise PluginError(
            f"{source} returned {_description(built)}, which has no {' and no '.join(missing)}: {expected}"
        )
    if required := [name for name, one in inspect.signature(built.step).parameters.items() if _is_required(one)]:
        raise PluginError(
            f"{source} returned {_description(built)}, whose step() needs {', '.join(required)}: the loop calls step()"
            " without arguments after one pass over a batch; use another optimiser, or write your own loop"
        )
    for group in built.param_groups:
        if not isinstance(group.get("lr"), int | float | Tensor):
            raise PluginError(
                f"{source} returned {_description(built)} with lr={group.get('lr')!r} in a group: set it to a number,"
                " which the loop multiplies by the schedule at each step"
            )
    return built


def check_loss(value: object, loss: Loss | None, model: Model) -> Tensor:
    """Returns the loss of a step if it is a scalar tensor with a gradient.

    Raises:
        PluginError: The value is something else; the message names the function that returned it and a likely remedy.
    """
    if isinstance(value, Tensor) and value.ndim == 0 and value.requires_grad:
        return value
    source = f"loss={_qualified_name(loss)}" if loss is not None else f"{type(model.head).__name__}.loss"
    if isinstance(value, Tensor) and value.ndim:
        advice = "take its mean() or sum()"
    elif isinstance(value, Tensor):
        advice = "compute it from step.model(step.batch), without no_grad() or detach()"
    else:
        advice = "return the tensor itself, without item() or float()"
    no_gradient = " without a gradient" if isinstance(value, Tensor) and not value.requires_grad else ""
    expected = "train() expects a scalar tensor, of shape (), with a gradient"
    raise PluginError(f"{source} returned {_description(value)}{no_gradient}; {expected}: {advice}")


class GroupCheck:
    """Checks that every trainable parameter is in an optimiser group and not below `start`; records all of them."""

    def __init__(self, model: Model, grouped: Callable[[], Sequence[nn.Parameter]]) -> None:
        self._model, self._grouped = model, grouped
        self._trainable: list[nn.Parameter] = []

    def __call__(self) -> None:
        """Checks the parameters if the set of trainable parameters has changed since the previous call.

        Raises:
            PluginError: A trainable parameter is in no group, or belongs to a stage below the model's `start`.
        """
        model = self._model
        trainable = [weight for weight in model.parameters() if weight.requires_grad]
        # Called at every step, so the usual case, in which nothing was frozen or unfrozen, returns early. Tensors are
        # compared by identity: `==` would compare their elements.
        if list(map(id, trainable)) == list(map(id, self._trainable)):
            return
        self._trainable, grouped = trainable, set(self._grouped())
        below = {weight for _, weight in model.encoder.stage_parameters(0, model.start)} if model.start else set()
        for name, weight in model.named_parameters():
            if weight.requires_grad and weight not in grouped:
                raise PluginError(
                    f"{name} takes a gradient and is in no group, so it would not be updated: pass groups=... with"
                    " every parameter that will ever be trained, or freeze it by requires_grad_(False)"
                )
            if weight.requires_grad and weight in below:
                raise PluginError(
                    f"{name} takes a gradient and belongs to stages[:{model.start}], which Model(start={model.start})"
                    " keeps frozen: use a smaller start, and freeze() the stages that are not to be trained yet"
                )
        for part in (model, model.encoder, model.head):
            note_trained(part, trainable)


def _is_required(parameter: inspect.Parameter) -> bool:
    variadic = (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    return parameter.default is parameter.empty and parameter.kind not in variadic


def _qualified_name(function: object) -> str:
    name = getattr(function, "__qualname__", type(function).__qualname__)
    return f"{getattr(function, '__module__', None) or '?'}.{name}"


def _description(value: object) -> str:
    return f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
