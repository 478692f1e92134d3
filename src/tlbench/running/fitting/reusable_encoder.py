"""An encoder that stays loaded between fits: after any strategy, the next fit gets it as freshly loaded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from tlbench.modeling.encoder import Encoder
from tlbench.modeling.trained_weights import forget_trained


class Structure:
    """A module's parts, weights and settings as they are now, as objects; values of weights are not among them."""

    def __init__(self, module: nn.Module) -> None:
        self._parts = [(part, type(part), _shallow(vars(part))) for part in module.modules()]

    def restore(self) -> None:
        """Puts the same parts, weights, hooks and settings back into the same modules.

        A part that an adapter library has wrapped is where it was, and what was added is gone from the module.
        """
        for part, kind, attributes in self._parts:
            if type(part) is not kind:
                part.__class__ = kind  # a parametrisation makes a class of its own for a module
            now = vars(part)
            for name in now.keys() - attributes.keys():
                del now[name]
            now.update(_shallow(attributes))


def _shallow(attributes: dict[str, Any]) -> dict[str, Any]:
    """Returns the attributes with copies of what is changed in place: dictionaries of parts, weights, hooks; sets."""
    return {
        name: type(value)(value) if type(value).__name__ in {"dict", "OrderedDict", "set"} else value
        for name, value in attributes.items()
    }


Signature = tuple[tuple[str, str, int], ...]


class ReusableEncoder:
    """Keeps a pristine copy of an encoder's tensors on the CPU and puts them back in place.

    Weights, buffers, `requires_grad`, modes and gradients are restored, and so is the structure where a fit changed it
    (adapters injected, modules swapped, hooks left behind). What cannot be undone is loaded anew.
    """

    def __init__(self, load: Callable[[], Encoder]) -> None:
        self._load = load
        self._encoder: Encoder | None = None
        self._pristine: dict[str, Tensor] = {}
        self._trainable: set[str] = set()
        self._signature: Signature = ()
        self._structure: Structure | None = None

    def fresh(self) -> Encoder:
        """Returns the encoder with weights, buffers, flags and modes equal to a fresh load."""
        if self._encoder is not None:
            known = _tensors(self._encoder)
            tensors: dict[str, Tensor] | None = known
            if _signature(self._encoder, known) != self._signature:
                tensors = self._undone(self._encoder)
            if tensors is not None:
                _restore(self._encoder, tensors, self._pristine, self._trainable)
                return self._encoder
        self._encoder = self._load().eval()
        tensors = _tensors(self._encoder)
        self._signature = _signature(self._encoder, tensors)
        self._pristine = {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}
        self._trainable = {name for name, tensor in tensors.items() if tensor.requires_grad}
        self._structure = Structure(self._encoder)
        return self._encoder

    def _undone(self, encoder: Encoder) -> dict[str, Tensor] | None:
        """Undoes what a fit has made of the structure; returns the tensors, or None where something is left of it."""
        if self._structure is None:
            return None
        self._structure.restore()
        tensors = _tensors(encoder)
        return tensors if _signature(encoder, tensors) == self._signature else None

    def keep(self) -> Callable[[], bool]:
        """Returns a function that puts the encoder back as it is now, for a predictor that will be used later.

        It says False where that cannot be done any more: a later fit has changed the structure in place.
        """
        encoder = self._encoder
        if encoder is None:
            return lambda: True
        tensors = _tensors(encoder)
        if _signature(encoder, tensors) != self._signature:
            # The predictor holds on to it; the next fit gets another.
            self._encoder = None
            return lambda: True
        changed = {
            name: tensor.detach().cpu().clone()
            for name, tensor in tensors.items()
            if not torch.equal(tensor.detach().cpu(), self._pristine[name])
        }
        pristine, trainable, signature = self._pristine, self._trainable, self._signature

        def put_back() -> bool:
            tensors = _tensors(encoder)
            if _signature(encoder, tensors) != signature:
                return False
            _restore(encoder, tensors, {**pristine, **changed}, trainable)
            return True

        return put_back


def _restore(encoder: Encoder, tensors: dict[str, Tensor], values: dict[str, Tensor], trainable: set[str]) -> None:
    with torch.no_grad():
        for name, tensor in tensors.items():
            tensor.copy_(values[name])
    for name, tensor in tensors.items():
        if isinstance(tensor, nn.Parameter):
            tensor.requires_grad_(name in trainable)
            tensor.grad = None
    forget_trained(encoder)
    encoder.eval()


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    """Returns parameters and buffers; no two have one name. A walk over all modules, which costs a fit most here."""
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def _signature(module: nn.Module, tensors: dict[str, Tensor]) -> Signature:
    """Returns what a restored copy of the tensors does not restore: modules, hooks, settings, shapes."""
    modules = tuple((name, *_structure(part)) for name, part in module.named_modules())
    return modules + tuple((name, f"{tuple(t.shape)} {t.dtype} {t.device}", _hooks(t)) for name, t in tensors.items())


def _structure(part: nn.Module) -> tuple[str, int]:
    hooks = (part._forward_hooks, part._forward_pre_hooks, part._backward_hooks, part._backward_pre_hooks)
    settings = sorted((k, v) for k, v in vars(part).items() if k != "training" and isinstance(v, int | float | str))
    kind = f"{type(part).__module__}.{type(part).__qualname__} {settings}"
    return kind, sum(len(registered) for registered in hooks) + ("forward" in part.__dict__)


def _hooks(tensor: Tensor) -> int:
    return sum(len(getattr(tensor, name, None) or ()) for name in ("_backward_hooks", "_post_accumulate_grad_hooks"))
