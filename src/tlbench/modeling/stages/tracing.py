"""Traces one tiny pass: in which order blocks are called, what they answer, and which stage reads each parameter."""

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
    """What a pass over a tiny batch showed."""

    calls: tuple[Call, ...]
    stages: Mapping[str, int] = field(repr=False)
    """The lowest stage that reads a parameter, or runs a module, by path; the root is ""."""
    batch_dim: int = 0
    """Which dimension of the hidden state between blocks is the batch."""

    def stage_of(self, name: str) -> int:
        """Returns the stage of a parameter; one that an adapter library added goes with the module around it.

        Raises:
            PluginError: It stands in a new part of the whole module, of which nobody knows where it is read.
        """
        known = name
        while known not in self.stages:
            known = known.rpartition(".")[0]
        if not known and "." in name:
            raise PluginError(f"the parameter {name} belongs to no stage: add it inside the module that reads it")
        return self.stages[known]


def trace(native: nn.Module, blocks: Sequence[str], run: Callable[[], Tensor]) -> tuple[Trace, Tensor]:
    """Returns what one pass shows, and what it put out; `run` runs it on a batch of two rows.

    Raises:
        PluginError: A block is never called, or answers with something unknown.
    """
    recorder = _Recorder()
    with ExitStack() as stack:
        # The global generator belongs to the caller: a module that draws in eval mode must not move it.
        stack.enter_context(torch.random.fork_rng(devices=[]))
        stack.enter_context(torch.no_grad())
        for module in native.modules():
            stack.callback(module.register_forward_pre_hook(recorder.see).remove)
        stack.enter_context(patched(native, blocks, recorder.call))
        output = run()
    for path in blocks:
        if all(call.path != path for call in recorder.calls):
            raise PluginError(f"{type(native).__name__} never called its block {path}")
    return Trace(recorder.finished(), recorder.stages(native), recorder.batch_dim), output


class _Recorder:
    """Notes calls of blocks and first uses of modules and parameters during a pass."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.batch_dim = 0
        self._modules: dict[int, int] = {}
        self._parameters: dict[int, int] = {}
        # Everything that calls took and answered is kept until the end, so that identities stay unique.
        self._taken: list[list[Any]] = []
        self._fresh: list[list[Any]] = []
        self._answers: list[Tensor] = []
        # Calls that change the shape of the hidden state, and calls whose answer something other than a block took.
        self._reshaping: set[int] = set()
        self._taken_between: set[int] = set()

    def see(self, module: nn.Module, args: Any) -> None:
        """Notes the stage of a module that is about to run, and of the parameters that are its own."""
        stage = len(self.calls)
        self._modules.setdefault(id(module), stage)
        for parameter in module.parameters(recurse=False):
            self._parameters.setdefault(id(parameter), stage)

    def call(self, path: str, block: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Runs a block and notes what it took and what it answered."""
        slots: dict[Slot, Any] = dict(enumerate(args))
        slots.update(kwargs)
        hidden = next((slot for slot, value in slots.items() if isinstance(value, Tensor)), None)
        if hidden is None:
            raise PluginError(f"the block {path} takes no tensor")
        if not self.calls and slots[hidden].shape[0] != 2 and slots[hidden].shape[1] == 2:
            self.batch_dim = 1
        index, shape = len(self.calls), slots[hidden].shape
        if self._answers and slots[hidden] is not self._answers[-1]:
            self._taken_between.add(index - 1)
        call = Call(path, hidden)
        self.calls.append(call)
        answer = block(*args, **kwargs)
        rest: list[Slot | None] = []
        fresh: list[Any] = []
        if type(answer) in (tuple, list) and answer and isinstance(answer[0], Tensor):
            for extra in answer[1:]:
                through = [slot for slot, value in slots.items() if extra is not None and value is extra]
                rest.append(through[0] if through else None)
                if extra is not None and not through:
                    fresh.append(extra)
            call = replace(call, answer=type(answer), rest=tuple(rest))
        elif not isinstance(answer, Tensor):
            raise PluginError(f"the block {path} answers with a {type(answer).__name__}: neither a tensor nor a tuple")
        self.calls[-1] = call
        self._answers.append(answer if isinstance(answer, Tensor) else answer[0])
        if self._answers[-1].shape != shape:
            self._reshaping.add(index)
        self._taken.append([value for slot, value in slots.items() if slot != hidden])
        self._fresh.append(fresh)
        return answer

    def finished(self) -> tuple[Call, ...]:
        """Returns the calls, marked live where more of the answer is read than a hidden state like the one taken."""
        live = [self._is_read_later(i) for i in range(len(self.calls))]
        needed = False
        for i in reversed(range(len(live) - 1)):
            # What really runs further up, a block or what stands between blocks, needs the shape it was made for.
            needed = needed or live[i + 1] or i in self._taken_between
            live[i] = live[i] or (needed and i in self._reshaping)
        return tuple(replace(call, live=flag) for call, flag in zip(self.calls, live, strict=True))

    def stages(self, native: nn.Module) -> dict[str, int]:
        """Returns the stage of each module and each parameter, by path."""
        found: dict[str, int] = {}
        for path, module in native.named_modules(remove_duplicate=False):
            # What was never called itself (a container, a bare table of weights) goes with what holds it.
            around = found.get(path.rpartition(".")[0], 0)
            found[path] = self._modules.get(id(module), around)
        for name, parameter in native.named_parameters():
            found[name] = self._parameters.get(id(parameter), found[name.rpartition(".")[0]])
        return found

    def _is_read_later(self, index: int) -> bool:
        # Numbers are rebuilt on their way (Swin's sizes), so only tensors can be told apart by identity.
        later = {id(value) for taken in self._taken[index + 1 :] for value in taken}
        last = index == len(self.calls) - 1
        return any(id(extra) in later if isinstance(extra, Tensor) else not last for extra in self._fresh[index])
