"""Runs a frozen encoder over data: in batches of similar length, in eval mode and without gradients."""

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
from tlbench.modeling.disk.writing import EntryWriter
from tlbench.modeling.encoder import Encoder, Hidden
from tlbench.modeling.precision import at_least_fp32, autocast

WITNESS_ROWS = 2
"""Number of rows that are encoded again to verify a stored entry."""


def encoding_batches(encoder: Encoder, data: Data) -> list[list[int]]:
    """Returns the row indices of each batch; the last bits of a row depend on the rows it is batched with."""
    return inference_batches(data.lengths, default_tokens(encoder.device.type))


@contextmanager
def in_eval_mode(module: nn.Module) -> Iterator[None]:
    """Puts a module and all its submodules into eval mode for the block, then restores the mode of each."""
    # not module.train(): a strategy may have frozen parts of the module in eval mode
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for part, training in modes.items():
            part.training = training


def encode_features(encoder: Encoder, data: Data, precision: str, writer: EntryWriter | None = None) -> Tensor:
    """Returns the encoder's readout of every row, (rows, D) in fp32 or fp64 on the encoder's device.

    Args:
        encoder: The encoder; it is run in eval mode.
        data: The rows to encode.
        precision: The resolved precision to compute in.
        writer: Touched after every batch, so that processes waiting for the entry see progress. Nothing is added to it.
    """
    features = torch.empty(0, encoder.width, device=encoder.device)
    for indices, hidden in _encoded(encoder, data, encoding_batches(encoder, data), None, precision):
        read = _readout(encoder, hidden, precision)
        if not len(features):
            # allocated by the first batch, whose dtype may be fp64
            features = read.new_empty(len(data), encoder.width)
        features[indices] = read
        if writer is not None:
            writer.touch()
    _synchronize(encoder.device)
    return features


def encode_hidden(
    encoder: Encoder, data: Data, stop: int, precision: str, limit_bytes: int, writer: EntryWriter
) -> HiddenRows | None:
    """Returns the outputs of stages[:stop] for every row, or None if they cannot be split into rows or are too large.

    Args:
        encoder: The encoder; it is run in eval mode.
        data: The rows to encode.
        stop: The number of stages to run.
        precision: The resolved precision to compute in.
        limit_bytes: The maximum memory to use. If the rows exceed it, they are kept in the writer only, and the result
            is not `complete`.
        writer: Receives all rows as the array "x", batch by batch.
    """
    rows: HiddenRows | None = None
    total = max(1, data.lengths.sum())
    for indices, hidden in _encoded(encoder, data, encoding_batches(encoder, data), stop, precision):
        if hidden.extras or not _is_contiguous(hidden.mask):
            return None
        if rows is None:
            rows = HiddenRows(len(data), masked=hidden.mask is not None)
        chunk = rows.add(indices, hidden)
        size = rows.size_bytes
        # After the first batch the total is extrapolated from the batch's share of all lengths: data that would need
        # more than twice the room is not encoded any further.
        share = data.lengths[indices].sum() / total
        room = max(limit_bytes, writer.limit_bytes)
        if size > room or (size == _size(chunk) and len(rows) > len(indices) and size / share > 2 * room):
            return None
        if chunk.dtype == torch.bfloat16:
            # numpy has no bfloat16: its bits are written as int16
            writer.add("x", chunk.view(torch.int16).numpy(), "BF16")
        else:
            writer.add("x", chunk.numpy())
        if size > limit_bytes:
            # too large for memory: go on only if all rows so far are on disk
            if not writer.active:
                return None
            rows.release()
    _synchronize(encoder.device)
    return rows if rows is not None else HiddenRows(0, masked=False)


def output_digest(encoder: Encoder, data: Data, stop: int | None, precision: str) -> str:
    """Returns a digest of the encoder's output for the two shortest rows, to detect changes that cache keys miss.

    Names and versions do not cover everything that outputs depend on: the code of a plugin under development changes
    without a new version. Encoding two short rows takes next to no time.

    Args:
        encoder: The encoder; it is run in eval mode.
        data: The rows to encode.
        stop: The number of stages to run; None for the readout.
        precision: The resolved precision to compute in.
    """
    digest = hashlib.sha256()
    rows = np.argsort(data.lengths, kind="stable")[:WITNESS_ROWS].tolist()
    for _, hidden in _encoded(encoder, data, [rows] if rows else [], stop, precision):
        value = hidden.x if stop is not None else _readout(encoder, hidden, precision)
        digest.update(f"{value.dtype}{tuple(value.shape)}".encode())
        digest.update(value.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _readout(encoder: Encoder, hidden: Hidden, precision: str) -> Tensor:
    """Returns the readout of a batch, (B, D) in fp32 or fp64."""
    # under autocast, because a readout with weights in fp32 (a pooler) cannot multiply a bf16 hidden state
    with torch.no_grad(), autocast(encoder.device, precision):
        return at_least_fp32(encoder.pool(hidden))


def _encoded(
    encoder: Encoder, data: Data, batches: list[list[int]], stop: int | None, precision: str
) -> Iterator[tuple[list[int], Hidden]]:
    """Yields the indices and hidden states of each batch, computed in eval mode and without gradients."""
    device = encoder.device
    with in_eval_mode(encoder):
        for indices in batches:
            batch = to_device(data.batch(indices), device)
            # not inference_mode: autograd refuses its tensors, and cached activations are trained on later
            with torch.no_grad(), autocast(device, precision):
                hidden = encoder(batch, stop=stop)
            yield indices, hidden


def _is_contiguous(mask: Tensor | None) -> bool:
    """Returns whether the tokens of each row are adjacent, so that removing the padding keeps their distances."""
    if mask is None:
        return True
    # a row's tokens are adjacent if they start once: count starts (at the left edge, or after a gap) and filled rows
    starts = mask[:, :1].sum() + (mask[:, 1:] & ~mask[:, :-1]).sum()
    return bool(starts == mask.any(1).sum())


def _size(chunk: Tensor) -> int:
    return chunk.numel() * chunk.element_size()


def _synchronize(device: torch.device) -> None:
    """Waits until the device has finished: CUDA kernels run in the background, and the caller reads a clock next."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
