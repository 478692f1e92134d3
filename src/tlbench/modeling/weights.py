"""Telling whether an encoder's weights changed: cheaply, by marks, and for certain, by a digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TypeAlias

import torch
from torch import Tensor

from tlbench.modeling.encoder import Encoder

Mark: TypeAlias = tuple[int, int, int, int]
Marks: TypeAlias = dict[str, Mark]


def prefix_tensors(encoder: Encoder, stop: int) -> Iterator[tuple[str, Tensor]]:
    """Yields the named parameters and buffers that stages[:stop] may read.

    A buffer counts unless the parameters of its own module all belong to later stages, as those of a batch norm
    further up do.
    """
    yield from encoder.stage_parameters(0, stop)
    later = {name.rpartition(".")[0] for name, _ in encoder.stage_parameters(stop)}
    later -= {name.rpartition(".")[0] for name, _ in encoder.stage_parameters(0, stop)}
    for name, buffer in encoder.native.named_buffers():
        if name.rpartition(".")[0] not in later:
            yield f"buffer:{name}", buffer


def marks(encoder: Encoder, stop: int) -> Marks:
    """Returns a mark for each tensor that stages[:stop] read; it differs once the tensor was changed or replaced.

    It holds a sum over the bits besides torch's version counter, which neither a fused optimiser nor writing through
    `.data` moves.
    """
    return {name: _mark(tensor) for name, tensor in prefix_tensors(encoder, stop)}


def weights_digest(encoder: Encoder, stop: int) -> str:
    """Returns sixteen hex digits over names, shapes and contents of the tensors that stages[:stop] read."""
    digest = hashlib.sha256()
    for name, tensor in sorted(prefix_tensors(encoder, stop), key=lambda item: item[0]):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(_bytes(tensor).cpu().numpy().data)
    return digest.hexdigest()[:16]


def _mark(tensor: Tensor) -> Mark:
    return id(tensor), tensor.data_ptr(), tensor._version, _bit_sum(_bytes(tensor))


def _bit_sum(flat: Tensor) -> int:
    whole = len(flat) // 8 * 8
    if flat.storage_offset() % 8:
        return int(flat.sum(dtype=torch.int64))
    # eight bytes at a time is some twenty times as fast
    return int(flat[:whole].view(torch.int64).sum()) + int(flat[whole:].sum(dtype=torch.int64))


def _bytes(tensor: Tensor) -> Tensor:
    return tensor.detach().contiguous().reshape(-1).view(torch.int8)
