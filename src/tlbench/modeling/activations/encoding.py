"""Running a frozen encoder over data, in batches of like length, in eval mode and without gradients."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from tlbench.modeling.activations.hidden_rows import HiddenRows
from tlbench.modeling.batches import default_tokens, inference_batches
from tlbench.modeling.data import Data, to_device
from tlbench.modeling.disk.writing import Draft
from tlbench.modeling.encoder import Encoder, Hidden
from tlbench.modeling.precision import at_least_fp32, autocast

WITNESSES = 2
"""Rows that say whether an encoder still computes what it did."""


def batches_of(encoder: Encoder, data: Data) -> list[list[int]]:
    """Returns the rows that are encoded together: the last bits of a row depend on it."""
    return inference_batches(data.lengths, default_tokens(encoder.device.type))


@contextmanager
def resting(module: nn.Module) -> Iterator[None]:
    """Puts a module into eval mode, all of it, until the block ends."""
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for part, training in modes.items():
            part.training = training


def encode_features(encoder: Encoder, data: Data, precision: str, draft: Draft | None = None) -> Tensor:
    """Returns (rows, D) in fp32 at least, on the encoder's device: the readout of every row.

    Those who wait for the draft, to which nothing is added before all are there, see that it is being worked on.
    """
    features = torch.empty(0, encoder.width, device=encoder.device)
    for indices, hidden in _passes(encoder, data, batches_of(encoder, data), None, precision):
        read = _readout(encoder, hidden, precision)
        if not len(features):
            features = read.new_empty(len(data), encoder.width)
        features[indices] = read
        if draft is not None:
            draft.touch()
    _wait(encoder.device)
    return features


def encode_hidden(
    encoder: Encoder, data: Data, stop: int, precision: str, limit_bytes: int, draft: Draft
) -> HiddenRows | None:
    """Returns what stages[:stop] put out, or None where it cannot be cut to rows, or is too much to keep.

    The rows go into the draft as they come, as "x". Where they pass `limit_bytes` they stay there alone: the rows
    that come back are then not complete.
    """
    rows: HiddenRows | None = None
    total = max(1, data.lengths.sum())
    for indices, hidden in _passes(encoder, data, batches_of(encoder, data), stop, precision):
        if hidden.extras or not _is_contiguous(hidden.mask):
            return None
        if rows is None:
            rows = HiddenRows(len(data), masked=hidden.mask is not None)
        chunk = rows.add(indices, hidden)
        size = rows.size_bytes
        share = data.lengths[indices].sum() / total
        room = max(limit_bytes, draft.limit_bytes)
        if size > room or (size == _size(chunk) and len(rows) > len(indices) and size / share > 2 * room):
            return None
        if chunk.dtype == torch.bfloat16:
            draft.add("x", chunk.view(torch.int16).numpy(), "BF16")
        else:
            draft.add("x", chunk.numpy())
        if size > limit_bytes:
            if not draft.alive:
                return None
            rows.let_go()
    _wait(encoder.device)
    return rows if rows is not None else HiddenRows(0, masked=False)


def witness(encoder: Encoder, data: Data, stop: int | None, precision: str) -> str:
    """Returns a digest of what the encoder computes of the two shortest rows; the readout where `stop` is None.

    Names and versions say much of what numbers depend on, but not all: a plugin that is being written changes under
    one version. Two rows tell for next to nothing.
    """
    digest = hashlib.sha256()
    rows = np.argsort(data.lengths, kind="stable")[:WITNESSES].tolist()
    for _, hidden in _passes(encoder, data, [rows] if rows else [], stop, precision):
        value = hidden.x if stop is not None else _readout(encoder, hidden, precision)
        digest.update(f"{value.dtype}{tuple(value.shape)}".encode())
        digest.update(value.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _readout(encoder: Encoder, hidden: Hidden, precision: str) -> Tensor:
    """Returns (B, D) in fp32 at least; a readout may have weights of its own, which must not meet another precision."""
    with torch.no_grad(), autocast(encoder.device, precision):
        return at_least_fp32(encoder.pool(hidden))


def _passes(
    encoder: Encoder, data: Data, batches: list[list[int]], stop: int | None, precision: str
) -> Iterator[tuple[list[int], Hidden]]:
    """Yields the indices and hidden states of each batch, computed in eval mode and without gradients."""
    device = encoder.device
    with resting(encoder):
        for indices in batches:
            batch = to_device(data.batch(indices), device)
            # not inference_mode: what is cached here is trained on later
            with torch.no_grad(), autocast(device, precision):
                hidden = encoder(batch, stop=stop)
            yield indices, hidden


def _is_contiguous(mask: Tensor | None) -> bool:
    """Says whether the tokens of each row stand together, so that cutting off the padding moves none of them."""
    if mask is None:
        return True
    starts = mask[:, :1].sum() + (mask[:, 1:] & ~mask[:, :-1]).sum()
    return bool(starts == mask.any(1).sum())


def _size(chunk: Tensor) -> int:
    return chunk.numel() * chunk.element_size()


def _wait(device: torch.device) -> None:
    """Waits for the device, so that a clock read next tells the truth."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
