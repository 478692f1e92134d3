"""A staged encoder over any module whose blocks are calls: it is patched during a pass and at no other time.

A cut is a *call* of a block, not a module: ALBERT calls one module many times. The replay of a suffix runs the
library's own forward on a stand-in batch, so masks, rotary embeddings and position biases are made by the library:

- a call before `start` gives its incoming hidden state back in the shape of answer that the block gives;
- unless a later call reads more of that answer (T5's position bias), or what stands between needs its shape (the
  norm after a convolution): then it runs, without gradients;
- call `start` is given the hidden state to go on from;
- the call after the last stage wanted ends the pass.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from tlbench.contracts.errors import PluginError
from tlbench.modeling.data import Batch
from tlbench.modeling.encoder import Encoder, Hidden, Stage, as_hidden
from tlbench.modeling.readouts import READOUTS
from tlbench.modeling.stages.calls import Call, patched
from tlbench.modeling.stages.tracing import trace
from tlbench.modeling.stages.virtual_tokens import with_virtual, without_virtual


class Convention(ABC):
    """How a library's module is called, and what it answers."""

    @abstractmethod
    def run(self, native: nn.Module, batch: Batch) -> Tensor:
        """Returns what the last stage puts out, batch first, with what stands above the last block."""

    @abstractmethod
    def sample(self, native: nn.Module) -> Batch:
        """Returns a tiny batch of two rows to trace the module with; a sequence has three tokens."""

    @abstractmethod
    def standin(self, hidden: Hidden) -> Batch:
        """Returns a batch that makes the module do for `hidden` what it did for the batch it came from.

        Contents do not matter, shape, mask and extras do.
        """

    def mask(self, batch: Batch) -> Tensor | None:
        """Returns (B, T) bool, or None where every position counts."""
        return None

    def extras(self, batch: Batch) -> Mapping[str, Tensor]:
        """Returns what else of the batch `standin` will need, batch first."""
        return {}

    def pooler(self, native: nn.Module) -> Callable[[Tensor], Tensor] | None:
        """Returns the library's own readout, or None if the module has none."""
        return None


class StagedEncoder(Encoder):
    """An encoder whose stages are the embeddings and the calls of its blocks.

    Nothing but plain values is kept beside `native`: stages are names, found anew in whatever an adapter library
    has made of the module.
    """

    def __init__(
        self,
        native: nn.Module,
        convention: Convention,
        blocks: Sequence[str],
        *,
        readout: str,
        identity: str,
    ) -> None:
        """Traces one tiny pass to learn in which order and in what manner the blocks are called.

        Args:
            native: The library's module, in eval mode.
            convention: How to call it.
            blocks: Paths of the modules that are blocks; none for embeddings alone.
            readout: "mean", "first", "last", or "pooler".
            identity: Names the weights; equal for equal weights.

        Raises:
            PluginError: A block is never called, or answers in no known manner; no such readout.
        """
        super().__init__()
        self.native = native
        self.training = native.training
        self.readout = readout
        self.identity = identity
        self._convention = convention
        sample = convention.sample(native)
        # A pooler that the module does not call by itself is read above the last block.
        above = convention.pooler(native) if readout == "pooler" else None

        def run() -> Tensor:
            x = convention.run(native, sample)
            if above is not None:
                above(x)
            return x

        self._trace, output = trace(native, blocks, run)
        if readout not in READOUTS and readout != "pooler":
            raise PluginError(f"no readout {readout!r}; there is {', '.join(READOUTS)}, pooler")
        if readout == "pooler" and convention.pooler(native) is None:
            raise PluginError(f"{type(native).__name__} has no pooler; read out by {', '.join(READOUTS)}")
        with torch.no_grad():
            self.width = self.pool(Hidden(output)).shape[-1]

    @property
    def stages(self) -> Sequence[Stage]:
        """The embeddings, then one stage for each call of a block, with the parameters as they are now.

        What a library that wraps the module keeps outside it, such as virtual tokens, belongs to the embeddings.

        Raises:
            PluginError: A parameter was added where no stage is.
        """
        around = self._around()
        names: list[list[str]] = [[] for _ in range(len(self._calls) + 1)]
        for name, _ in self.native.named_parameters():
            inside = name.startswith(around)
            names[self._trace.stage_of(name.removeprefix(around)) if inside else 0].append(name)
        titles = ["embeddings", *(f"block-{i}" for i in range(1, len(names)))]
        return [Stage(title, tuple(own)) for title, own in zip(titles, names, strict=True)]

    def forward(self, batch: Batch | Hidden, start: int = 0, stop: int | None = None) -> Hidden:
        """Returns what stage `stop - 1` puts out (the last if None), beginning before stage `start`.

        Raises:
            ValueError: start or stop out of range, or a Hidden where a batch belongs.
            PluginError: The blocks were not called as they were when traced.
        """
        end = len(self._calls) + 1
        stop = end if stop is None else stop
        if not 0 <= start <= stop <= end or stop == 0:
            raise ValueError(f"no stages {start} to {stop}: this encoder has {end}")
        if start == 0:
            if isinstance(batch, Hidden):
                raise ValueError("stage 0 needs a batch, not the Hidden that an earlier stage put out")
            x = self._convention.run(self.native, batch) if stop == end else self._run(batch, None, 0, stop)
            mask, extras = self._convention.mask(batch), self._convention.extras(batch)
            hidden = with_virtual(Hidden(x, mask, extras))
            return without_virtual(hidden) if stop == end else hidden
        given = as_hidden(batch)
        if start == stop:
            return given
        # The module puts its virtual tokens before those of the batch again.
        x = self._run(self._convention.standin(without_virtual(given)), given.x, start, stop)
        hidden = Hidden(x, given.mask, given.extras)
        return without_virtual(hidden) if stop == end else hidden

    def pool(self, hidden: Hidden) -> Tensor:
        """Returns (B, width): the readout of the last stage's output.

        Raises:
            PluginError: The readout is the pooler, and it is gone.
        """
        if self.readout != "pooler":
            return READOUTS[self.readout](hidden)
        pooler = self._convention.pooler(self.native)
        if pooler is None:
            raise PluginError(f"{type(self.native).__name__} has no pooler any more")
        return pooler(hidden.x)

    @property
    def _calls(self) -> Sequence[Call]:
        return self._trace.calls

    def _around(self) -> str:
        """Returns the path to the traced module and a dot: a library may have put another around it; else nothing.

        Raises:
            PluginError: Its blocks are gone.
        """
        paths = {call.path for call in self._calls}
        if all(_has(self.native, path) for path in paths):
            return ""
        for prefix, module in self.native.named_modules():
            if prefix and all(_has(module, path) for path in paths):
                return f"{prefix}."
        raise PluginError(f"{type(self.native).__name__} has no block {min(paths)} any more")

    def _run(self, batch: Batch, given: Tensor | None, start: int, stop: int) -> Tensor:
        """Returns what stage stop-1 puts out, by a pass in which some calls of blocks are not what they seem."""
        batch_dim, around = self._trace.batch_dim, self._around()
        if given is not None:
            given = given.transpose(0, batch_dim)
        calls = [replace(call, path=f"{around}{call.path}") for call in self._calls] if around else self._calls
        running = _Pass(calls, start, stop, given)
        # Calls up to this one are counted; what comes after runs as it always does.
        paths = {call.path for call in calls[: running.horizon]}
        try:
            with torch.set_grad_enabled(running.grad and start == 0), patched(self.native, paths, running):
                x = self._convention.run(self.native, batch)
        except _Stop as ended:
            return ended.x.transpose(0, batch_dim)
        if running.count < running.horizon:
            lost = "the hidden state was never used" if running.count < start else "the pass did not stop"
            raise PluginError(
                f"{type(self.native).__name__} called {running.count} blocks where {running.horizon} were due: {lost}"
            )
        return x


def _has(module: nn.Module, path: str) -> bool:
    for name in path.split("."):
        child = module._modules.get(name)
        if child is None:
            return False
        module = child
    return True


class _Stop(BaseException):
    """Ends a pass from within; no Exception, so that no library's own handler keeps it."""

    def __init__(self, x: Tensor) -> None:
        super().__init__()
        self.x = x


class _Pass:
    """What becomes of each call of a block during one pass."""

    def __init__(self, calls: Sequence[Call], start: int, stop: int, given: Tensor | None) -> None:
        self.calls = calls
        self.start = start
        self.stop = stop
        self.given = given
        self.horizon = stop if stop <= len(calls) else start
        self.count = 0
        self.grad = torch.is_grad_enabled()

    def __call__(self, path: str, block: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self.count += 1
        if self.count > self.horizon:
            return block(*args, **kwargs)
        call = self.calls[self.count - 1]
        if path != call.path:
            raise PluginError(f"{path} was called where {call.path} was due: are blocks dropped at random?")
        if self.count == self.stop:
            raise _Stop(call.incoming(args, kwargs))
        if self.count < self.start:
            return block(*args, **kwargs) if call.live else call.bypass(args, kwargs)
        if self.count == self.start and self.given is not None:
            torch.set_grad_enabled(self.grad)
            args, kwargs = call.substitute(self.given, args, kwargs)
        return block(*args, **kwargs)
