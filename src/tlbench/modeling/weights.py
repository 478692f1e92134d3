"""Telling whether an encoder's weights changed: for certain by their bits, and at a glance in between.

A fit may ask for activations hundreds of times, and all bits of a small encoder take some ten milliseconds to read. So
they are read when a fit looks for the first time, and again after every step of an optimiser; in between, a tensor is
taken for unchanged that is still the same object at the same address, of the same version, with the same sample of its
elements. A fused optimiser moves no version, and neither does a write through `.data`: the first is counted, and the
second goes unseen only in the middle of a fit and where it leaves the sampled elements alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from torch.optim.optimizer import register_optimizer_step_post_hook

from tlbench.modeling.encoder import Encoder

SAMPLES = 16
"""How many elements of a tensor a glance looks at."""

Place: TypeAlias = tuple[int, int, int]
"""Identity, address and torch's version counter of a tensor."""
Glance: TypeAlias = tuple[int, tuple[Place, ...], tuple[bytes, ...]]
"""Optimiser steps so far, places, and samples of the tensors of a prefix."""


def prefix_tensors(encoder: Encoder, stop: int) -> Iterator[tuple[str, Tensor]]:
    """Yields the named parameters and buffers that stages[:stop] may read.

    A buffer counts unless the parameters of its own module all belong to later stages, as those of a batch norm
    further up do.
    """
    named = list(encoder.stage_parameters())
    inside = sum(len(stage.parameters) for stage in encoder.stages[:stop])
    yield from named[:inside]
    later = {name.rpartition(".")[0] for name, _ in named[inside:]}
    later -= {name.rpartition(".")[0] for name, _ in named[:inside]}
    for name, buffer in encoder.native.named_buffers():
        if name.rpartition(".")[0] not in later:
            yield f"buffer:{name}", buffer


def weights_digest(encoder: Encoder, stop: int) -> str:
    """Returns sixteen hex digits over names, shapes and contents of the tensors that stages[:stop] read."""
    digest = hashlib.sha256()
    for name, tensor in sorted(prefix_tensors(encoder, stop), key=lambda item: item[0]):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(_bytes(tensor).cpu().numpy().data)
    return digest.hexdigest()[:16]


def stepped(*_: object) -> None:
    """Says that an optimiser moved weights; torch's own are heard without it."""
    _steps[0] += 1


class Watch:
    """Says which weights encoders have now: those they were trusted with, or others, by a digest."""

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[Encoder, _Known] = WeakKeyDictionary()

    def trust(self, encoder: Encoder) -> None:
        """Takes the encoder's present weights for the ones that its identity names.

        All bits are summed once for each encoder: after it was put back, they are to be the same.
        """
        tensors = dict(prefix_tensors(encoder, len(encoder.stages)))
        known = self._known.setdefault(encoder, _Known())
        if known.sums.keys() != tensors.keys():
            known.sums = {name: _bit_sum(tensor) for name, tensor in tensors.items()}
            known.digests.clear()
        known.places = {name: _place(tensor) for name, tensor in tensors.items()}
        known.seen.clear()

    def other_weights(self, encoder: Encoder, stop: int) -> str | None:
        """Returns None where stages[:stop] have the weights that were trusted, else a digest of those they have."""
        known = self._known.setdefault(encoder, _Known())
        tensors = list(prefix_tensors(encoder, stop))
        glance = _glance([tensor for _, tensor in tensors])
        if stop not in known.seen or known.seen[stop][0] != glance:
            same = all(
                known.places.get(name) == _place(tensor) and known.sums[name] == _bit_sum(tensor)
                for name, tensor in tensors
            )
            known.seen[stop] = glance, known.other(encoder, stop, same)
        return known.seen[stop][1]


@dataclass
class _Known:
    """What is known of one encoder's tensors."""

    places: dict[str, Place] = field(default_factory=dict)
    """Where they were when they were trusted."""
    sums: dict[str, int] = field(default_factory=dict)
    digests: dict[int, str] = field(default_factory=dict)
    """Of the trusted weights, for each stop."""
    seen: dict[int, tuple[Glance, str | None]] = field(default_factory=dict)
    """For each stop what the last look in full saw, and what it found."""

    def other(self, encoder: Encoder, stop: int, same: bool) -> str | None:
        """Returns the digest of weights that are not the trusted ones; what was put back by hand is the same again."""
        if same and stop in self.digests:
            return None
        digest = weights_digest(encoder, stop)
        if same:
            self.digests[stop] = digest
        return None if digest == self.digests.get(stop) else digest


def _glance(tensors: Sequence[Tensor]) -> Glance:
    alike: dict[tuple[torch.dtype, torch.device], list[Tensor]] = {}
    for tensor in tensors:
        alike.setdefault((tensor.dtype, tensor.device), []).append(tensor)
    with torch.no_grad():
        samples = [_bytes(torch.cat([_sample(tensor) for tensor in group])) for group in alike.values()]
    return _steps[0], tuple(_place(tensor) for tensor in tensors), tuple(s.cpu().numpy().tobytes() for s in samples)


def _place(tensor: Tensor) -> Place:
    return id(tensor), tensor.data_ptr(), tensor._version


def _sample(tensor: Tensor) -> Tensor:
    flat = tensor.reshape(-1)
    return flat[:: max(1, len(flat) // SAMPLES)]


def _bit_sum(tensor: Tensor) -> int:
    flat = _bytes(tensor)
    whole = len(flat) // 8 * 8
    if flat.storage_offset() % 8:
        return int(flat.sum(dtype=torch.int64))
    # eight bytes at a time is some twenty times as fast
    return int(flat[:whole].view(torch.int64).sum()) + int(flat[whole:].sum(dtype=torch.int64))


def _bytes(tensor: Tensor) -> Tensor:
    return tensor.detach().contiguous().reshape(-1).view(torch.int8)


_steps = [0]
register_optimizer_step_post_hook(stepped)
