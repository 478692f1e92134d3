"""Traces one tiny pass through a model: the order of block calls, their results, and the stage of each parameter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from tlbench.contracts.errors import PluginError
from tlbench.modeling.stages.calls import Call, Slot, patched


@dataclass(frozen=True)
class Trace:
    """The result of tracing a model on a tiny batch."""

    calls: tuple[Call, ...]
    """The calls of blocks, in order."""
    stages: Mapping[str, int] = field(repr=False)
    """The lowest stage that uses each parameter and each module, by path; the path of the model itself is ""."""
    batch_dim: int = 0
    """The batch dimension of the hidden state between blocks."""

    def stage_of(self, name: str) -> int:
        """Returns the stage of a parameter; one added by an adapter library has the stage of the enclosing module.

        Raises:
            PluginError: The parameter is in a new part at the top of the model, so its stage is unknown.
        """
        known = name
        while known not in self.stages:
            known = known.rpartition(".")[0]
        if not known and "." in name:
            raise PluginError(f"the parameter {name} belongs to no stage: add it inside the module that reads it")
        return self.stages[known]


def trace(native: nn.Module, blocks: Sequence[str], run: Callable[[], Tensor]) -> tuple[Trace, Tensor]:
    """Runs the model once and returns the trace and the output.

    Args:
        native: The library's module.
        blocks: Paths of the module's blocks.
        run: Runs the module on a batch of two rows.

    Raises:
        PluginError: A block is never called, or returns neither a tensor nor a tuple.
    """
    recorder = _Recorder()
    with ExitStack() as stack:
        # The global generator belongs to the caller: a module that draws in eval mode must not advance it.
        stack.enter_context(torch.random.fork_rng(devices=[]))
        stack.enter_context(torch.no_grad())
        for module in native.modules():
            stack.callback(module.register_forward_pre_hook(recorder.before_module).remove)
        stack.enter_context(patched(native, blocks, recorder.call))
        output = run()
    for path in blocks:
        if all(call.path != path for call in recorder.calls):
            raise PluginError(f"{type(native).__name__} never called its block {path}")
    return Trace(recorder.finished(), recorder.stages(native), recorder.batch_dim), output


class _Recorder:
    """Records calls of blocks and first uses of modules and parameters during a pass."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.batch_dim = 0
        self._modules: dict[int, int] = {}
        self._parameters: dict[int, int] = {}
        # Inputs and results of all calls are kept until the end: Python reuses the id of an object that was freed.
        self._inputs: list[list[Any]] = []
        self._new_extras: list[list[Any]] = []
        self._outputs: list[Tensor] = []
        # Calls that change the shape of the hidden state, and calls whose result goes to something other than a block.
        self._reshaping: set[int] = set()
        self._read_between: set[int] = set()

    def before_module(self, module: nn.Module, args: Any) -> None:
        """Records the stage of a module that is about to run and of its own parameters, unless already recorded."""
        # the number of block calls so far is the stage: 0, the embeddings, before the first block
        stage = len(self.calls)
        self._modules.setdefault(id(module), stage)
        for parameter in module.parameters(recurse=False):
            self._parameters.setdefault(id(parameter), stage)

    def call(self, path: str, block: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Runs a block and records its arguments and its result."""
        slots: dict[Slot, Any] = dict(enumerate(args))
        slots.update(kwargs)
        # assumed of every block: the first tensor among the arguments is the hidden state
        hidden = next((slot for slot, value in slots.items() if isinstance(value, Tensor)), None)
        if hidden is None:
            raise PluginError(f"the block {path} takes no tensor")
        # the batch has two rows and three tokens, so the dimension of size 2 is the batch (XLNet puts time first)
        if not self.calls and slots[hidden].shape[0] != 2 and slots[hidden].shape[1] == 2:
            self.batch_dim = 1
        index, shape = len(self.calls), slots[hidden].shape
        if self._outputs and slots[hidden] is not self._outputs[-1]:
            self._read_between.add(index - 1)
        call = Call(path, hidden)
        # appended before the block runs, so that its own modules and parameters are recorded with its stage
        self.calls.append(call)
        result = block(*args, **kwargs)
        # For each extra element of the result: was it passed through from an argument, or is it new?
        rest: list[Slot | None] = []
        new_extras: list[Any] = []
        if type(result) in (tuple, list) and result and isinstance(result[0], Tensor):
            for extra in result[1:]:
                through = [slot for slot, value in slots.items() if extra is not None and value is extra]
                rest.append(through[0] if through else None)
                if extra is not None and not through:
                    new_extras.append(extra)
            call = replace(call, container=type(result), rest=tuple(rest))
        elif not isinstance(result, Tensor):
            raise PluginError(f"the block {path} returns a {type(result).__name__}: neither a tensor nor a tuple")
        self.calls[-1] = call
        self._outputs.append(result if isinstance(result, Tensor) else result[0])
        if self._outputs[-1].shape != shape:
            self._reshaping.add(index)
        self._inputs.append([value for slot, value in slots.items() if slot != hidden])
        self._new_extras.append(new_extras)
        return result

    def finished(self) -> tuple[Call, ...]:
        """Returns the calls, with `live` set on those whose block cannot be bypassed."""
        # First, blocks with a new extra that a later call reads, such as T5's position bias.
        live = [self._is_read_later(i) for i in range(len(self.calls))]
        # Second, blocks that change the shape, if anything above them really runs: a live block, or a module between
        # blocks such as a norm after a convolution. It would fail on an input of another shape.
        needed = False
        for i in reversed(range(len(live) - 1)):
            needed = needed or live[i + 1] or i in self._read_between
            live[i] = live[i] or (needed and i in self._reshaping)
        return tuple(replace(call, live=flag) for call, flag in zip(self.calls, live, strict=True))

    def stages(self, native: nn.Module) -> dict[str, int]:
        """Returns the stage of each module and each parameter by path."""
        result: dict[str, int] = {}
        for path, module in native.named_modules(remove_duplicate=False):
            # A module that is never called itself (a container, a bare table of weights) has the stage of its parent.
            parent = result.get(path.rpartition(".")[0], 0)
            result[path] = self._modules.get(id(module), parent)
        for name, parameter in native.named_parameters():
            result[name] = self._parameters.get(id(parameter), result[name.rpartition(".")[0]])
        return result

    def _is_read_later(self, index: int) -> bool:
        # Only tensors can be recognised by identity. Numbers, such as Swin's sizes, may be other objects when a later
        # call gets them, so they are assumed to be read unless this is the last call.
        later = {id(value) for inputs in self._inputs[index + 1 :] for value in inputs}
        last = index == len(self.calls) - 1
        return any(id(extra) in later if isinstance(extra, Tensor) else not last for extra in self._new_extras[index])
