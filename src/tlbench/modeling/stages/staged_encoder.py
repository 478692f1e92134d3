"""Provides `StagedEncoder`, which splits any model with blocks into stages by patching it during a pass only.

The stages are separated at *calls* of blocks, not at modules, because ALBERT calls one module many times. To run a
suffix of the stages, the library's own forward runs on a stand-in batch, so that masks, rotary embeddings and position
biases are computed by the library. During that pass

- a call before `start` returns its incoming hidden state, in the structure that the block would return;
- but its block runs, without gradients, if a later call reads another element of the result (such as T5's position
  bias) or a module between blocks needs the shape of the result (such as a norm after a convolution);
- call `start` gets the given hidden state;
- the call after the last requested stage ends the pass.
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
    """How a library's modules are called and what they return; implement it once per library and modality."""

    @abstractmethod
    def run(self, native: nn.Module, batch: Batch) -> Tensor:
        """Runs the whole module and returns its last hidden state, batch first, after any final norm."""

    @abstractmethod
    def sample(self, native: nn.Module) -> Batch:
        """Returns a tiny batch to trace the module with: two rows, and three tokens each if they are sequences."""

    @abstractmethod
    def standin(self, hidden: Hidden) -> Batch:
        """Returns a batch for which the module computes the masks and position biases that belong to `hidden`.

        Only the shape, mask and extras of the batch matter, not its contents.
        """

    def mask(self, batch: Batch) -> Tensor | None:
        """Returns the attention mask, (B, T) bool; None (the default) if every position counts."""
        return None

    def extras(self, batch: Batch) -> Mapping[str, Tensor]:
        """Returns the other tensors of the batch that `standin` will need, batch first; none by default."""
        return {}

    def pooler(self, native: nn.Module) -> Callable[[Tensor], Tensor] | None:
        """Returns the library's own readout, a function from the last hidden state to (B, D); None if it has none.

        The default is None.
        """
        return None


class StagedEncoder(Encoder):
    """An encoder whose stages are the embeddings and the calls of a model's blocks.

    It keeps no references into `native`: stages hold names, which are looked up again at each pass, because an adapter
    library may replace modules.
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
        """Traces one tiny pass to find the order in which blocks are called, with their arguments and results.

        Args:
            native: The library's module, in eval mode.
            convention: How the library's modules are called.
            blocks: Paths of the modules that are blocks; empty for embeddings alone.
            readout: "mean", "first", "last", or "pooler".
            identity: A name for the pretrained weights, equal for equal weights.

        Raises:
            PluginError: A block is never called, or returns neither a tensor nor a tuple; the readout does not exist.
        """
        super().__init__()
        self.native = native
        self.training = native.training
        self.readout = readout
        self.identity = identity
        self._convention = convention
        self._watched: tuple[dict[int, Tensor], set[int]] | None = None
        sample = convention.sample(native)
        # A pooler is traced too, even if the model does not call it itself, so that its parameters get the last stage.
        pooler = convention.pooler(native) if readout == "pooler" else None

        def run() -> Tensor:
            x = convention.run(native, sample)
            if pooler is not None:
                pooler(x)
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
        """The embeddings, then one stage for each call of a block, with the parameters that `native` has now.

        Parameters that a wrapping library keeps outside the traced module, such as virtual tokens, are in stage 0.

        Raises:
            PluginError: A parameter was added outside all modules that the trace saw.
        """
        prefix = self._wrapper_prefix()
        names: list[list[str]] = [[] for _ in range(len(self.calls) + 1)]
        for name, _ in self.native.named_parameters():
            inside = name.startswith(prefix)
            names[self._trace.stage_of(name.removeprefix(prefix)) if inside else 0].append(name)
        titles = ["embeddings", *(f"block-{i}" for i in range(1, len(names)))]
        return [Stage(title, tuple(own)) for title, own in zip(titles, names, strict=True)]

    def forward(self, batch: Batch | Hidden, start: int = 0, stop: int | None = None) -> Hidden:
        """Returns the output of stages[start:stop].

        Args:
            batch: A batch for start = 0, else the `Hidden` that stage `start - 1` returned.
            start: The first stage to run.
            stop: One past the last stage to run; None for all.

        Raises:
            ValueError: start or stop is out of range, a Hidden is given for start = 0, or a batch for a later start.
            PluginError: The blocks were not called in the order that was traced.
        """
        end = len(self.calls) + 1
        stop = end if stop is None else stop
        if not 0 <= start <= stop <= end or stop == 0:
            raise ValueError(f"no stages {start} to {stop}: this encoder has {end}")
        if start == 0:
            if isinstance(batch, Hidden):
                raise ValueError("stage 0 needs a batch, not the Hidden that an earlier stage put out")
            # a whole pass needs no patching: the library runs as it is
            whole = stop == end and self._watched is None
            x = self._convention.run(self.native, batch) if whole else self._run(batch, None, 0, stop)
            mask, extras = self._convention.mask(batch), self._convention.extras(batch)
            hidden = with_virtual(Hidden(x, mask, extras))
            return without_virtual(hidden) if stop == end else hidden
        given = as_hidden(batch)
        if start == stop:
            return given
        # The stand-in has no virtual tokens: the module adds its own again.
        x = self._run(self._convention.standin(without_virtual(given)), given.x, start, stop)
        hidden = Hidden(x, given.mask, given.extras)
        return without_virtual(hidden) if stop == end else hidden

    def at_stages(self, batch: Batch | Hidden, stops: Sequence[int], start: int = 0) -> list[Hidden]:
        """Returns the output of stages[start:stop] for each of the stops, in one pass of the module.

        Raises:
            ValueError, PluginError: As `forward`; or the encoder reads virtual tokens or has extras.
        """
        passed: dict[int, Tensor] = {}
        self._watched = passed, set(stops)
        try:
            last = self(batch, start=start, stop=stops[-1])
        finally:
            self._watched = None
        return [*(Hidden(passed[stop], last.mask, last.extras) for stop in stops[:-1]), last]

    def sample(self) -> Batch:
        """Returns the rows that the module was traced with."""
        return self._convention.sample(self.native)

    def pool(self, hidden: Hidden) -> Tensor:
        """Returns the readout of the last stage's output, (B, width).

        Raises:
            PluginError: The readout is the pooler, and the module has none any more.
        """
        if self.readout != "pooler":
            return READOUTS[self.readout](hidden)
        pooler = self._convention.pooler(self.native)
        if pooler is None:
            raise PluginError(f"{type(self.native).__name__} has no pooler any more")
        return pooler(hidden.x)

    @property
    def calls(self) -> Sequence[Call]:
        """The calls of blocks in order; the hidden state that comes into calls[n - 1] is the output of n stages."""
        return self._trace.calls

    def _wrapper_prefix(self) -> str:
        """Returns the path of the traced module within `native`, ending in a dot; "" if no library wraps the module.

        Raises:
            PluginError: No module in `native` has the blocks any more.
        """
        paths = {call.path for call in self.calls}
        if all(_has(self.native, path) for path in paths):
            return ""
        # peft, for one, returns a new module that holds the old one: search for the module that has all blocks
        for prefix, module in self.native.named_modules():
            if prefix and all(_has(module, path) for path in paths):
                return f"{prefix}."
        raise PluginError(f"{type(self.native).__name__} has no block {min(paths)} any more")

    def _run(self, batch: Batch, given: Tensor | None, start: int, stop: int) -> Tensor:
        """Runs stages[start:stop] in one patched pass and returns the hidden state, batch first.

        Args:
            batch: The batch, or its stand-in.
            given: The hidden state that stage `start` takes, batch first; None if start is 0.
            start: The first stage to run.
            stop: One past the last stage to run.
        """
        batch_dim, prefix = self._trace.batch_dim, self._wrapper_prefix()
        if given is not None:
            given = given.transpose(0, batch_dim)
        calls = [replace(call, path=f"{prefix}{call.path}") for call in self.calls] if prefix else self.calls
        running = _Pass(calls, start, stop, given)
        if self._watched is not None:
            running.watch(*self._watched, batch_dim)
        # Only the blocks of calls that need handling are patched; all others run as usual.
        paths = {call.path for call in calls[: running.horizon]}
        try:
            # Below `start` the stand-in batch is computed, whose gradients would be meaningless.
            with torch.set_grad_enabled(running.grad and start == 0), patched(self.native, paths, running):
                x = self._convention.run(self.native, batch)
        except _Stop as ended:
            return ended.x.transpose(0, batch_dim)
        # The pass ran to its end, which is correct only if the last stage was requested and `given` was used.
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
    """Raised inside the model to end its forward pass early.

    A BaseException, so that a library's `except Exception` does not catch it.
    """

    def __init__(self, x: Tensor) -> None:
        super().__init__()
        self.x = x


class _Pass:
    """Handles the calls of blocks during one pass: bypasses a block, replaces its input, runs it, or ends the pass."""

    def __init__(self, calls: Sequence[Call], start: int, stop: int, given: Tensor | None) -> None:
        self.calls = calls
        self.start = start
        self.stop = stop
        self.given = given
        # the number of the last call that needs handling: the one that ends the pass, else the one that takes `given`
        self.horizon = stop if stop <= len(calls) else start
        self.count = 0
        self.grad = torch.is_grad_enabled()
        self.watched: set[int] = set()
        self.passed: dict[int, Tensor] = {}
        self.batch_dim = 0

    def watch(self, passed: dict[int, Tensor], stops: set[int], batch_dim: int) -> None:
        """Collects in `passed`, batch first, what goes into the calls of these numbers."""
        self.passed, self.watched, self.batch_dim = passed, stops, batch_dim
        self.horizon = max(self.horizon, *(stop for stop in stops if stop <= len(self.calls)), 0)

    def __call__(self, path: str, block: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        # call number n is stage n: stage 0 is the embeddings, which is no call
        self.count += 1
        if self.count > self.horizon:
            return block(*args, **kwargs)
        call = self.calls[self.count - 1]
        if path != call.path:
            raise PluginError(f"{path} was called where {call.path} was due: are blocks dropped at random?")
        if self.count in self.watched and self.count > self.start:
            self.passed[self.count] = call.incoming(args, kwargs).transpose(0, self.batch_dim)
        if self.count == self.stop:
            raise _Stop(call.incoming(args, kwargs))
        if self.count < self.start:
            return block(*args, **kwargs) if call.live else call.bypass(args, kwargs)
        if self.count == self.start and self.given is not None:
            # from here on the real hidden state is computed, with gradients if the caller wants them
            torch.set_grad_enabled(self.grad)
            args, kwargs = call.substitute(self.given, args, kwargs)
        return block(*args, **kwargs)
