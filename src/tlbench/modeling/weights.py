"""Detects whether an encoder's weights changed since they were loaded, and records which weights were trained.

Changes are found by reading all bits at times, and by quick checks in between: a fit may ask for activations hundreds
of times, and reading all bits of a small encoder takes some ten milliseconds. So the bits are read when a fit asks for
the first time, and again after each step of an optimiser. In between, a tensor counts as unchanged if it is the same
object at the same address, with the same version counter and the same sample of its elements. Two kinds of writes leave
the version counter alone: steps of a fused optimiser, which are therefore counted by a hook, and writes through
`.data`, which stay undetected only in the middle of a fit and only if they miss all sampled elements.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from tlbench.modeling.encoder import Encoder

SAMPLES = 16
"""Number of elements of a tensor that a quick check reads."""
_TRAINED = "_tlbench_trained"
"""The attribute of a module with the set of its weights that were trained."""

TensorVersion: TypeAlias = tuple[int, int, int]
"""The id, the memory address and torch's version counter of a tensor."""
QuickState: TypeAlias = tuple[int, tuple[TensorVersion, ...], tuple[bytes, ...]]
"""The number of optimiser steps so far, and the versions and samples of a prefix's tensors."""


def prefix_tensors(encoder: Encoder, stop: int | None) -> Iterator[tuple[str, Tensor]]:
    """Yields the names and tensors of all parameters and buffers that stages[:stop] may read; None for all stages.

    Stages do not list buffers. A buffer is left out only if all parameters of its own module belong to later stages, as
    for a batch norm above the cut.
    """
    named = list(encoder.stage_parameters())
    # Listing the stages of an encoder walks over its modules, so they are not listed again where all count.
    inside = len(named) if stop is None else sum(len(stage.parameters) for stage in encoder.stages[:stop])
    yield from named[:inside]
    later = {name.rpartition(".")[0] for name, _ in named[inside:]}
    later -= {name.rpartition(".")[0] for name, _ in named[:inside]}
    for name, buffer in encoder.native.named_buffers():
        if name.rpartition(".")[0] not in later:
            yield f"buffer:{name}", buffer


def weights_digest(encoder: Encoder, stop: int) -> str:
    """Returns a digest (16 hex digits) of names, dtypes, shapes and contents of the tensors of stages[:stop]."""
    digest = hashlib.sha256()
    for name, tensor in sorted(prefix_tensors(encoder, stop), key=lambda item: item[0]):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(_bytes(tensor).cpu().numpy().data)
    return digest.hexdigest()[:16]


def note_trained(module: nn.Module, weights: Iterable[nn.Parameter]) -> None:
    """Records the weights as trained, even if they are frozen later; those of other modules are ignored."""
    own = set(module.parameters())
    module.__dict__.setdefault(_TRAINED, set()).update(weight for weight in weights if weight in own)


def trained_weights(module: nn.Module) -> set[nn.Parameter]:
    """Returns the module's weights that were recorded as trained."""
    return set(module.__dict__.get(_TRAINED, ()))


def forget_trained(module: nn.Module) -> None:
    """Clears the record of trained weights, for a module whose pretrained weights were restored."""
    module.__dict__.pop(_TRAINED, None)


def count_optimizer_step(*_: object) -> None:
    """Counts a step of an optimiser.

    A hook calls it for torch's optimisers; an optimiser that does not inherit from torch's must call it itself.
    """
    _steps[0] += 1


class WeightTracker:
    """Detects whether an encoder still has its trusted weights; changed weights are identified by a digest."""

    def __init__(self) -> None:
        # weak, so that tracking does not keep an encoder's memory alive
        self._known: WeakKeyDictionary[Encoder, _Known] = WeakKeyDictionary()

    def trust(self, encoder: Encoder) -> None:
        """Registers the encoder's present weights as the pretrained weights that its `identity` names.

        All bits are summed at the first call for an encoder only. If the encoder is trusted again after its weights
        were restored, the weights must still have the sums of the first call.
        """
        tensors = dict(prefix_tensors(encoder, None))
        known = self._known.setdefault(encoder, _Known())
        if known.sums.keys() != tensors.keys():
            known.sums = {name: _bit_sum(tensor) for name, tensor in tensors.items()}
            known.digests.clear()
        known.versions = {name: _version(tensor) for name, tensor in tensors.items()}
        # the next `changed_digest` reads all bits again, so that a fit does not rely on the checks of the previous one
        known.checks.clear()

    def changed_digest(self, encoder: Encoder, stop: int) -> str | None:
        """Returns None if stages[:stop] have the trusted weights, else a digest of the weights that they have."""
        known = self._known.setdefault(encoder, _Known())
        tensors = list(prefix_tensors(encoder, stop))
        state = _quick_state([tensor for _, tensor in tensors])
        if stop not in known.checks or known.checks[stop][0] != state:
            same = all(
                known.versions.get(name) == _version(tensor) and known.sums[name] == _bit_sum(tensor)
                for name, tensor in tensors
            )
            known.checks[stop] = state, known.changed_digest(encoder, stop, same)
        return known.checks[stop][1]


@dataclass
class _Known:
    """The tracked state of one encoder."""

    versions: dict[str, TensorVersion] = field(default_factory=dict)
    """The version of each tensor when it was last trusted, by name."""
    sums: dict[str, int] = field(default_factory=dict)
    """The sum of the bits of each tensor when it was first trusted, by name."""
    digests: dict[int, str] = field(default_factory=dict)
    """The digest of the trusted weights of stages[:stop], by stop."""
    checks: dict[int, tuple[QuickState, str | None]] = field(default_factory=dict)
    """The quick state at the last full check and the result of that check, by stop."""

    def changed_digest(self, encoder: Encoder, stop: int, same: bool) -> str | None:
        """Returns None for the trusted weights, else a digest; `same` says whether versions and sums still match."""
        if same and stop in self.digests:
            return None
        digest = weights_digest(encoder, stop)
        if same:
            self.digests[stop] = digest
        # weights that were changed and restored by hand have other versions but the trusted digest
        return None if digest == self.digests.get(stop) else digest


def _quick_state(tensors: Sequence[Tensor]) -> QuickState:
    # one transfer for each dtype and device, instead of one for each of some hundred tensors
    groups: dict[tuple[torch.dtype, torch.device], list[Tensor]] = {}
    for tensor in tensors:
        groups.setdefault((tensor.dtype, tensor.device), []).append(tensor)
    with torch.no_grad():
        samples = [_bytes(torch.cat([_sample(tensor) for tensor in group])) for group in groups.values()]
    return _steps[0], tuple(_version(tensor) for tensor in tensors), tuple(s.cpu().numpy().tobytes() for s in samples)


def _version(tensor: Tensor) -> TensorVersion:
    # `_version` is torch's private counter of in-place writes, which autograd relies on
    return id(tensor), tensor.data_ptr(), tensor._version


def _sample(tensor: Tensor) -> Tensor:
    flat = tensor.reshape(-1)
    return flat[:: max(1, len(flat) // SAMPLES)]


def _bit_sum(tensor: Tensor) -> int:
    flat = _bytes(tensor)
    whole = len(flat) // 8 * 8
    # torch views bytes as int64 only at offsets that are multiples of 8
    if flat.storage_offset() % 8:
        return int(flat.sum(dtype=torch.int64))
    # eight bytes at a time is some twenty times as fast; the sum wraps around, which does no harm here
    return int(flat[:whole].view(torch.int64).sum()) + int(flat[whole:].sum(dtype=torch.int64))


def _bytes(tensor: Tensor) -> Tensor:
    return tensor.detach().contiguous().reshape(-1).view(torch.int8)


# A list, so that `count_optimizer_step` changes the count without a `global` statement. The hook is process-wide: it
# sees the steps of all of torch's optimisers, whichever strategy created them.
_steps = [0]
register_optimizer_step_post_hook(count_optimizer_step)
