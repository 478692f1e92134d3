"""Calls of blocks: what one takes and answers, and how to stand in for the blocks during a pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

Slot = int | str
"""Where an argument stands: its position, or its name."""


@dataclass(frozen=True)
class Call:
    """One call of a block, as the trace saw it."""

    path: str
    """The block, as in `native.get_submodule(path)`."""
    hidden: Slot
    """The argument that holds the hidden state."""
    answer: type | None = None
    """tuple or list if the block answers in one, hidden state first; None for the bare hidden state."""
    rest: tuple[Slot | None, ...] = ()
    """What follows the hidden state in the answer: an argument handed through, or None."""
    live: bool = False
    """The answer holds something new that a later call reads, or a shape that is needed: never bypassed."""

    def incoming(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        """Returns the hidden state that this call was given."""
        x: Tensor = _at(self.hidden, args, kwargs)
        return x

    def bypass(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Returns the incoming hidden state in the shape of answer that the block gives."""
        x = self.incoming(args, kwargs)
        if self.answer is None:
            return x
        return self.answer([x, *(None if slot is None else _at(slot, args, kwargs) for slot in self.rest)])

    def substitute(
        self, given: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Returns the arguments with the hidden state replaced.

        It is written into the incoming tensor where that is safe, for others may hold it too: DeBERTa's convolution
        reads the embeddings again after block 1. What is, or may be a view of, a parameter is left alone. Its dtype
        stays what it is: under autocast what stands below the blocks may end in another than they do.
        """
        incoming = self.incoming(args, kwargs)
        owned = incoming.is_leaf and not incoming.requires_grad and not incoming._is_view()
        owned = owned and not isinstance(incoming, nn.Parameter)
        same = incoming.shape == given.shape and incoming.dtype == given.dtype
        given = incoming.copy_(given) if owned and same else given
        if isinstance(self.hidden, int):
            return (*args[: self.hidden], given, *args[self.hidden + 1 :]), kwargs
        return args, {**kwargs, self.hidden: given}


Handle = Callable[[str, nn.Module, tuple[Any, ...], dict[str, Any]], Any]
"""Takes a block's path, the block and the arguments of a call; returns the answer."""


class _StandIn(nn.Module):
    """Takes the calls of a block; in all else it is the block.

    `nn.Module.__init__` is not called: there is no state here, so all of it is looked up in the block.
    """

    def __init__(self, path: str, block: nn.Module, handle: Handle) -> None:
        self.__dict__.update(_path=path, _block=block, _handle=handle)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        own = self.__dict__
        return own["_handle"](own["_path"], own["_block"], args, kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_block"], name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.__dict__["_block"], name, value)


@contextmanager
def patched(native: nn.Module, paths: Iterable[str], handle: Handle) -> Iterator[None]:
    """Has the calls of these blocks taken by `handle`, until the context ends in whatever way.

    The block itself is not touched, so its hooks, its checkpointing and its offloading see only real calls.
    """
    replaced: list[tuple[dict[str, nn.Module | None], str, nn.Module]] = []
    try:
        for path in paths:
            parent, _, child = path.rpartition(".")
            siblings = native.get_submodule(parent)._modules
            block = siblings[child]
            assert block is not None
            siblings[child] = _StandIn(path, block, handle)
            replaced.append((siblings, child, block))
        yield
    finally:
        for siblings, child, block in replaced:
            siblings[child] = block


def _at(slot: Slot, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return args[slot] if isinstance(slot, int) else kwargs[slot]
