"""Describes calls of a model's blocks (`Call`), and intercepts them during a pass (`patched`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

Slot = int | str
"""The position or the name of an argument."""


@dataclass(frozen=True)
class Call:
    """One call of a block, as recorded by `trace`."""

    path: str
    """The path of the block, as in `native.get_submodule(path)`."""
    hidden: Slot
    """The argument that holds the hidden state."""
    container: type | None = None
    """The type of the block's result if it is a tuple or list, which begins with the hidden state; None if the block
    returns the hidden state alone."""
    rest: tuple[Slot | None, ...] = ()
    """For each element of the result after the hidden state: the argument that the block returned unchanged as this
    element, or None if the element is new."""
    live: bool = False
    """Whether the block must run even below `start`, because a later call reads a new element of its result or needs
    the shape of its result."""

    def incoming(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        """Returns the hidden state among the arguments."""
        x: Tensor = _at(self.hidden, args, kwargs)
        return x

    def bypass(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Returns the incoming hidden state unchanged, in the structure that the block would return."""
        x = self.incoming(args, kwargs)
        if self.container is None:
            return x
        return self.container([x, *(None if slot is None else _at(slot, args, kwargs) for slot in self.rest)])

    def substitute(
        self, given: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Returns the arguments with the hidden state replaced by `given`, which keeps its own dtype."""
        incoming = self.incoming(args, kwargs)
        # Written in place if that is safe, because other code may hold the same tensor: DeBERTa's convolution reads the
        # embeddings again after block 1. It is not safe for a parameter or a view, which may be one of a parameter:
        # the library's weights would be overwritten.
        owned = incoming.is_leaf and not incoming.requires_grad and not incoming._is_view()
        owned = owned and not isinstance(incoming, nn.Parameter)
        # under autocast the embeddings may return another dtype than the blocks: copy_ would round `given` to it
        same = incoming.shape == given.shape and incoming.dtype == given.dtype
        given = incoming.copy_(given) if owned and same else given
        if isinstance(self.hidden, int):
            return (*args[: self.hidden], given, *args[self.hidden + 1 :]), kwargs
        return args, {**kwargs, self.hidden: given}


Handler = Callable[[str, nn.Module, tuple[Any, ...], dict[str, Any]], Any]
"""Takes a block's path, the block, and a call's positional and keyword arguments; returns the result of the call."""


class _StandIn(nn.Module):
    """Replaces a block: calls go to the handler, and all attributes are the block's.

    `nn.Module.__init__` is not called: it would create parameters and hooks of its own, which would hide the block's.
    """

    def __init__(self, path: str, block: nn.Module, handler: Handler) -> None:
        # through __dict__, since __setattr__ below writes to the block
        self.__dict__.update(_path=path, _block=block, _handler=handler)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        own = self.__dict__
        return own["_handler"](own["_path"], own["_block"], args, kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_block"], name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.__dict__["_block"], name, value)


@contextmanager
def patched(native: nn.Module, paths: Iterable[str], handler: Handler) -> Iterator[None]:
    """Sends the calls of these blocks to `handler` as long as the context is open.

    The blocks themselves are not modified: their hooks, checkpointing and offloading only see calls that really run.

    Args:
        native: The library's module.
        paths: Paths of the blocks in `native`.
        handler: Takes each call, and decides whether the block runs.
    """
    replaced: list[tuple[dict[str, nn.Module | None], str, nn.Module]] = []
    try:
        for path in paths:
            parent, _, child = path.rpartition(".")
            # torch looks children up in this dictionary; replacing a value keeps their order
            siblings = native.get_submodule(parent)._modules
            block = siblings[child]
            assert block is not None
            siblings[child] = _StandIn(path, block, handler)
            replaced.append((siblings, child, block))
        yield
    finally:
        for siblings, child, block in replaced:
            siblings[child] = block


def _at(slot: Slot, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return args[slot] if isinstance(slot, int) else kwargs[slot]
