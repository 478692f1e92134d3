"""What a frozen prefix of an encoder computes: computed once, shared by trials, seeds and strategies.

Entries are addressed by content: the weights of the prefix, the rows, where it was cut, and the numbers it was
computed in. So a strategy may ask for the activations of an encoder that it has just trained, and gets its own.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import overload
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from tlbench.contracts.errors import PluginError
from tlbench.modeling.batches import default_tokens, inference_batches
from tlbench.modeling.data import Batch, Data, to_device
from tlbench.modeling.encoder import Encoder, Hidden
from tlbench.modeling.precision import autocast
from tlbench.modeling.weights import Marks, marks, weights_digest

GIBIBYTE = 1024**3


@dataclass(frozen=True)
class Key:
    """What the activations of some rows depend on."""

    weights: str
    """The encoder's identity; a digest of the prefix's tensors is added where they are not the trusted ones."""
    data: str
    stop: int
    readout: str | None
    """None for hidden states."""
    precision: str
    device: str


@dataclass(frozen=True)
class Entry:
    """Activations and what they cost."""

    value: Tensor | HiddenRows
    encode_seconds: float
    """What computing them took, on its own."""

    @property
    def size_bytes(self) -> int:
        """How much memory they hold."""
        if isinstance(self.value, HiddenRows):
            return self.value.size_bytes
        return self.value.numel() * self.value.element_size()


@dataclass
class Usage:
    """What was read while a `metering` lasted."""

    encode_paid_seconds: float = 0.0
    """What computing cost here and now."""
    read: dict[Key, float] = field(default_factory=dict)
    """Standalone seconds of every entry read, whoever computed it."""

    @property
    def encode_seconds(self) -> float:
        """What everything that was read would have cost on its own."""
        return sum(self.read.values())


class Activations:
    """A cache of frozen prefixes' outputs in this process, bounded in bytes; the least recently read go first."""

    def __init__(self, limit_bytes: int = GIBIBYTE) -> None:
        self.limit_bytes = limit_bytes
        self._entries: OrderedDict[Key, Entry] = OrderedDict()
        self._trusted: WeakKeyDictionary[Encoder, Marks] = WeakKeyDictionary()
        self._usages: list[Usage] = []

    @property
    def size_bytes(self) -> int:
        """How much memory the entries hold."""
        return sum(entry.size_bytes for entry in self._entries.values())

    def clear(self) -> None:
        """Forgets all entries."""
        self._entries.clear()

    def trust(self, encoder: Encoder) -> None:
        """Takes the encoder's present weights for those that its identity names.

        Call it after a fresh load or a restore. What is changed later is noticed, and costs a digest of the
        weights; what was never trusted always does.
        """
        self._trusted[encoder] = marks(encoder, len(encoder.stages))

    @contextmanager
    def metering(self) -> Iterator[Usage]:
        """Yields a count of what is read until the block ends."""
        usage = Usage()
        self._usages.append(usage)
        try:
            yield usage
        finally:
            self._usages = [other for other in self._usages if other is not usage]

    def features(self, encoder: Encoder, data: Data, precision: str = "fp32") -> Tensor:
        """Returns (rows, D) in fp32 on the encoder's device: the frozen encoder's readout of every row.

        Treat it as read-only: it is shared.

        Raises:
            PluginError: The data is augmented.
        """
        whole = data.shared.whole if data.shared else data
        share = len(data) / max(1, len(whole))
        key = self._key(encoder, whole, len(encoder.stages), encoder.readout, precision)
        entry = self._find(key, share)
        if entry is None:
            began = time.perf_counter()
            value = _encode_features(encoder, whole, precision)
            entry = self._computed(key, Entry(value, time.perf_counter() - began), share)
        assert isinstance(entry.value, Tensor)
        if data.shared is None:
            return entry.value
        return entry.value[torch.from_numpy(data.shared.rows).to(entry.value.device)]

    def hidden(self, encoder: Encoder, data: Data, stop: int, precision: str = "fp32") -> Data:
        """Returns the same examples with what the frozen stages[:stop] put out as rows.

        A row is (T, D) without padding, or whatever shape the encoder has between stages; a batch holds
        {"hidden": Hidden}, from which `tlbench.training.Model` goes on. Where hidden states would not fit into
        `limit_bytes`, or carry extras that cannot be cut to rows, the data itself comes back: the model then runs
        the prefix each time.

        Raises:
            PluginError: The data is augmented.
        """
        if isinstance(data.rows, HiddenRows):
            return data
        key = self._key(encoder, data, stop, None, precision)
        entry = self._find(key)
        if entry is None:
            began = time.perf_counter()
            value = _encode_hidden(encoder, data, stop, precision, self.limit_bytes)
            if value is None:
                return data
            entry = self._computed(key, Entry(value, time.perf_counter() - began))
        assert isinstance(entry.value, HiddenRows)
        return data.with_rows(entry.value, entry.value.collate, f"{data.fingerprint}@{key.weights}:{stop}")

    def _key(self, encoder: Encoder, data: Data, stop: int, readout: str | None, precision: str) -> Key:
        if data.augmented:
            raise PluginError("activations of augmented data are not cached: its rows differ at each look")
        now = marks(encoder, stop)
        trusted = self._trusted.get(encoder, {})
        weights = encoder.identity
        if any(trusted.get(name) != mark for name, mark in now.items()):
            weights += f"+{weights_digest(encoder, stop)}"
        return Key(weights, data.fingerprint, stop, readout, precision, encoder.device.type)

    def _find(self, key: Key, share: float = 1.0) -> Entry | None:
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
            self._note(key, entry, share, paid=False)
        return entry

    def _computed(self, key: Key, entry: Entry, share: float = 1.0) -> Entry:
        self._note(key, entry, share, paid=True)
        if entry.size_bytes <= self.limit_bytes:
            self._entries[key] = entry
            while self.size_bytes > self.limit_bytes:
                self._entries.popitem(last=False)
        return entry

    def _note(self, key: Key, entry: Entry, share: float, paid: bool) -> None:
        # Who reads a part of the rows would have encoded that part alone.
        for usage in self._usages:
            usage.read[key] = share * entry.encode_seconds
            usage.encode_paid_seconds += entry.encode_seconds if paid else 0.0


class HiddenRows(Sequence[Tensor]):
    """Rows cut out of batches of hidden states: padding is dropped, nothing is copied when a row is read."""

    def __init__(self, count: int, masked: bool) -> None:
        self._chunks: list[Tensor] = []
        self._places = np.zeros((count, 3), dtype=np.int64)
        self._masked = masked

    @property
    def size_bytes(self) -> int:
        """How much memory the rows hold."""
        return sum(chunk.numel() * chunk.element_size() for chunk in self._chunks)

    def add(self, indices: Sequence[int], hidden: Hidden) -> None:
        """Takes in the rows of one batch of an encoder's output."""
        if hidden.mask is None:
            ends = np.arange(1, len(indices) + 1)
            chunk = hidden.x
        else:
            ends = hidden.mask.sum(1).cpu().numpy().cumsum()
            chunk = hidden.x[hidden.mask]
        self._places[indices, 0] = len(self._chunks)
        self._places[indices, 1] = np.concatenate([[0], ends[:-1]])
        self._places[indices, 2] = ends
        self._chunks.append(chunk.cpu())

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> Tensor: ...
    @overload
    def __getitem__(self, index: slice) -> list[Tensor]: ...
    def __getitem__(self, index: int | slice) -> Tensor | list[Tensor]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        chunk, first, last = self._places[index].tolist()
        rows: Tensor = self._chunks[chunk][first:last] if self._masked else self._chunks[chunk][first]
        return rows

    def collate(self, rows: Sequence[Tensor]) -> Batch:
        """Returns {"hidden": Hidden} of these rows, padded on the right."""
        if not self._masked:
            return {"hidden": Hidden(torch.stack(list(rows)))}
        lengths = torch.tensor([len(row) for row in rows])
        x = torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True)
        return {"hidden": Hidden(x, torch.arange(x.shape[1]) < lengths[:, None])}


def _encode_features(encoder: Encoder, data: Data, precision: str) -> Tensor:
    features = torch.empty(len(data), encoder.width, device=encoder.device)
    for indices, hidden in _passes(encoder, data, None, precision):
        features[indices] = encoder.pool(hidden).float()
    _wait(encoder.device)
    return features


def _encode_hidden(encoder: Encoder, data: Data, stop: int, precision: str, limit_bytes: int) -> HiddenRows | None:
    rows: HiddenRows | None = None
    for indices, hidden in _passes(encoder, data, stop, precision):
        if hidden.extras or not _is_contiguous(hidden.mask):
            return None
        if rows is None:
            rows = HiddenRows(len(data), masked=hidden.mask is not None)
        rows.add(indices, hidden)
        share = data.lengths[indices].sum() / max(1, data.lengths.sum())
        if rows.size_bytes > limit_bytes or (len(rows) > len(indices) and rows.size_bytes / share > 2 * limit_bytes):
            return None
    _wait(encoder.device)
    return rows if rows is not None else HiddenRows(0, masked=False)


def _passes(encoder: Encoder, data: Data, stop: int | None, precision: str) -> Iterator[tuple[list[int], Hidden]]:
    """Yields the indices and hidden states of each batch, computed in eval mode and without gradients."""
    modes = {module: module.training for module in encoder.modules()}
    encoder.eval()
    device = encoder.device
    try:
        for indices in inference_batches(data.lengths, default_tokens(device.type)):
            batch = to_device(data.batch(indices), device)
            # not inference_mode: what is cached here is trained on later
            with torch.no_grad(), autocast(device, precision):
                hidden = encoder(batch, stop=stop)
            yield indices, hidden
    finally:
        for module, training in modes.items():
            module.training = training


def _is_contiguous(mask: Tensor | None) -> bool:
    """Says whether the tokens of each row stand together, so that cutting off the padding moves none of them."""
    if mask is None:
        return True
    starts = mask[:, :1].sum() + (mask[:, 1:] & ~mask[:, :-1]).sum()
    return bool(starts == mask.any(1).sum())


def _wait(device: torch.device) -> None:
    """Waits for the device, so that a clock read next tells the truth."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
