"""An encoder that stays loaded between fits and is reset before each, whatever the last strategy did to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from tlbench.modeling.encoder import Encoder
from tlbench.modeling.weights import forget_trained


class ModuleSnapshot:
    """The submodules, tensors, hooks and attributes of a module, by reference: values of weights are not copied."""

    def __init__(self, module: nn.Module) -> None:
        self._parts = [(part, type(part), _shallow(vars(part))) for part in module.modules()]

    def restore(self) -> None:
        """Restores the attributes of every submodule in place.

        A layer that an adapter library has wrapped is unwrapped, and whatever was added to a module is removed.
        """
        for part, kind, attributes in self._parts:
            if type(part) is not kind:
                part.__class__ = kind  # torch's parametrizations replace a module's class
            now = vars(part)
            for name in now.keys() - attributes.keys():
                del now[name]
            now.update(_shallow(attributes))


def _shallow(attributes: dict[str, Any]) -> dict[str, Any]:
    """Returns the attributes, with copies of the dictionaries and sets that torch changes in place."""
    return {
        name: type(value)(value) if type(value).__name__ in {"dict", "OrderedDict", "set"} else value
        for name, value in attributes.items()
    }


@dataclass(frozen=True)
class KeptState:
    """The state of an encoder after a fit, kept for a predictor that is used later."""

    put_back: Callable[[], bool]
    """Restores the state; returns False if a later fit has changed the encoder's structure, so that it cannot."""
    size_bytes: int = 0
    """The memory that keeping the state takes."""


Signature = tuple[tuple[Any, ...], ...]
_PLAIN = (int, float, str)


class ReusableEncoder:
    """Keeps a copy of an encoder's tensors on the CPU, and restores the encoder in place before each fit.

    It restores weights, buffers, `requires_grad`, train/eval modes and gradients, and also the structure if a fit
    changed it (injected adapters, replaced modules, hooks left behind). If it cannot, the encoder is loaded again.
    """

    def __init__(self, load: Callable[[], Encoder]) -> None:
        self._load = load
        self._encoder: Encoder | None = None
        self._pristine: dict[str, Tensor] = {}
        self._trainable: set[str] = set()
        self._signature: Signature = ()
        self._structure: ModuleSnapshot | None = None

    def fresh(self) -> Encoder:
        """Returns the encoder with weights, buffers, flags and modes as after loading."""
        if self._encoder is not None:
            known = _tensors(self._encoder)
            tensors: dict[str, Tensor] | None = known
            if _signature(self._encoder, known) != self._signature:
                tensors = self._undo_structure(self._encoder)
            if tensors is not None:
                _restore(self._encoder, tensors, self._pristine, self._trainable)
                return self._encoder
        self._encoder = self._load().eval()
        tensors = _tensors(self._encoder)
        self._signature = _signature(self._encoder, tensors)
        self._pristine = {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}
        self._trainable = {name for name, tensor in tensors.items() if tensor.requires_grad}
        self._structure = ModuleSnapshot(self._encoder)
        return self._encoder

    def changed(self) -> Literal["nothing", "weights", "structure"]:
        """Returns what of the encoder differs from how it was loaded: its weights, or its modules too."""
        if self._encoder is None:
            return "nothing"
        tensors = _tensors(self._encoder)
        if _signature(self._encoder, tensors) != self._signature:
            return "structure"
        equal = (torch.equal(tensor.detach().cpu(), self._pristine[name]) for name, tensor in tensors.items())
        return "nothing" if all(equal) else "weights"

    def _undo_structure(self, encoder: Encoder) -> dict[str, Tensor] | None:
        """Undoes changes to the encoder's structure; returns the tensors, or None if the structure still differs."""
        if self._structure is None:
            return None
        self._structure.restore()
        tensors = _tensors(encoder)
        return tensors if _signature(encoder, tensors) == self._signature else None

    def keep(self) -> KeptState:
        """Returns the encoder's present state, for a predictor that is used later."""
        encoder = self._encoder
        if encoder is None:
            return KeptState(lambda: True)
        tensors = _tensors(encoder)
        if _signature(encoder, tensors) != self._signature:
            # The fit changed the structure, so the encoder is left to the predictor and the next fit loads another.
            self._encoder = None
            return KeptState(lambda: True, _size(tensors))
        # Only tensors that differ are copied: for a frozen encoder that is none.
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

        return KeptState(put_back, _size(changed))


def _restore(encoder: Encoder, tensors: dict[str, Tensor], values: dict[str, Tensor], trainable: set[str]) -> None:
    with torch.no_grad():
        for name, tensor in tensors.items():
            tensor.copy_(values[name])
    # Most fits leave most of this as it is, and looking costs less than setting.
    for name, tensor in tensors.items():
        if tensor.requires_grad != (name in trainable):
            tensor.requires_grad_(name in trainable)
        if tensor.is_leaf and tensor.grad is not None:
            tensor.grad = None
    forget_trained(encoder)
    if any(part.training for part in encoder.modules()):
        encoder.eval()


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    """Returns all parameters and buffers by name. Walking over all modules is the main cost of `fresh`."""
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def _size(tensors: dict[str, Tensor]) -> int:
    return sum(tensor.nbytes for tensor in tensors.values())


def _signature(module: nn.Module, tensors: dict[str, Tensor]) -> Signature:
    """Returns everything that copying tensors would not restore: classes, attributes, hooks, shapes and dtypes."""
    modules = tuple([(name, *_structure(part)) for name, part in module.named_modules()])
    return modules + tuple([(name, t.shape, t.dtype, t.device, _hooks(t)) for name, t in tensors.items()])


def _structure(part: nn.Module) -> tuple[type, dict[str, Any], int]:
    own = vars(part)
    settings = {name: value for name, value in own.items() if isinstance(value, _PLAIN) and name != "training"}
    # Private in torch, which has no public list of hooks.
    hooks = len(part._forward_hooks) + len(part._forward_pre_hooks)
    hooks += len(part._backward_hooks) + len(part._backward_pre_hooks)
    # Some adapter libraries replace the method `forward` of a single module.
    return type(part), settings, hooks + ("forward" in own)


def _hooks(tensor: Tensor) -> int:
    return len(tensor._backward_hooks or ()) + len(getattr(tensor, "_post_accumulate_grad_hooks", None) or ())
