"""Provides `Activations`: outputs of frozen encoder prefixes, computed once and shared by trials, seeds and strategies.

Entries are addressed by content: the prefix's weights, the rows, the cut and the precision. So a strategy may also ask
for activations of an encoder that it has just trained, and gets those of the trained weights. Entries are kept in
memory; those of pretrained weights are also kept on disk, for other processes and other runs.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from tlbench.contracts.errors import PluginError
from tlbench.modeling.activations.activation_files import ActivationFile, StoredActivations, should_store
from tlbench.modeling.activations.encoding import encode_features, encode_hidden
from tlbench.modeling.activations.hidden_rows import HiddenRows
from tlbench.modeling.data import Data
from tlbench.modeling.disk.disk_cache import DiskCache
from tlbench.modeling.disk.writing import EntryWriter
from tlbench.modeling.encoder import Encoder
from tlbench.modeling.weights import WeightTracker
from tlbench.system.free_memory import release_free_memory
from tlbench.system.process_memory import add_cached, remove_cached

GIBIBYTE = 1024**3
MAX_ENTRIES = 256
"""Maximum number of entries. It is limited because an entry on disk uses no memory but keeps a file open."""


@dataclass(frozen=True)
class Key:
    """The key of an entry: everything that the activations of the rows depend on."""

    weights: str
    """The encoder's identity, followed by a digest of the prefix's tensors if they differ from the weights that
    `Activations.trust` registered."""
    data: str
    """The fingerprint of the rows."""
    stop: int
    """The number of stages of the prefix."""
    readout: str | None
    """The encoder's readout if the entry holds features; None if it holds hidden states."""
    precision: str
    device: str


@dataclass
class EncodeUsage:
    """The encoding time of the activations that were read during a `metering` block."""

    encode_paid_seconds: float = 0.0
    """Seconds actually spent in this process: encoding, or reading from disk."""
    read: dict[Key, float] = field(default_factory=dict)
    """For each entry that was read, the seconds spent on encoding it, even if another process encoded it."""

    @property
    def encode_seconds(self) -> float:
        """The seconds that encoding would have taken without a cache."""
        return sum(self.read.values())


class Activations:
    """A least-recently-used cache of frozen prefixes' outputs, bounded by the memory it uses.

    With a `disk`, activations of pretrained weights are read from and stored in the disk cache as well.
    """

    def __init__(self, limit_bytes: int = GIBIBYTE, disk: DiskCache | None = None) -> None:
        self.limit_bytes = limit_bytes
        self.disk = disk
        self._entries: OrderedDict[Key, StoredActivations] = OrderedDict()
        self._uncacheable: set[Key] = set()
        self._weights = WeightTracker()
        self._usages: list[EncodeUsage] = []

    @property
    def size_bytes(self) -> int:
        """The memory used by all entries."""
        return sum(entry.size_bytes for entry in self._entries.values())

    def clear(self) -> None:
        """Removes all entries from memory; files on disk stay."""
        for key in list(self._entries):
            self._remove(key)
        self._uncacheable.clear()

    def forget(self, data: str) -> None:
        """Removes the entries of the data with this fingerprint from memory; files on disk stay."""
        for key in [key for key in self._entries if key.data == data]:
            self._remove(key)

    def trust(self, encoder: Encoder) -> None:
        """Registers the encoder's present weights as the pretrained weights that its `identity` names.

        Call it after loading or restoring an encoder. Later changes of the weights are detected. Without this call, or
        after a change, a digest of all weights is computed for each new version of the weights.
        """
        self._weights.trust(encoder)

    @contextmanager
    def metering(self) -> Iterator[EncodeUsage]:
        """Yields the encoding times of the activations that are read inside the `with` block."""
        usage = EncodeUsage()
        self._usages.append(usage)
        try:
            yield usage
        finally:
            # compared by identity, because two usages with the same numbers are equal as dataclasses
            self._usages = [other for other in self._usages if other is not usage]

    def features(self, encoder: Encoder, data: Data, precision: str = "fp32") -> Tensor:
        """Returns the frozen encoder's readout of every row, (rows, D) in fp32 or fp64 on the encoder's device.

        Treat the tensor as read-only: it is shared.

        Raises:
            PluginError: The data is augmented.
        """
        # a subset's features are selected from those of the full data set, which is encoded once for all subsets
        whole = data.shared.whole if data.shared else data
        share = len(data) / max(1, len(whole))
        key = self._key(encoder, whole, len(encoder.stages), encoder.readout, precision)

        def make(writer: EntryWriter) -> StoredActivations:
            began = time.perf_counter()
            value = encode_features(encoder, whole, precision, writer)
            entry = StoredActivations(value, time.perf_counter() - began, value.numel() * value.element_size())
            writer.add("x", value.cpu().numpy())
            return entry

        entry = self._lookup(key, share) or self._create(key, self._file(encoder, whole, None, key), make, share)
        assert entry is not None
        assert isinstance(entry.value, Tensor)
        if data.shared is None:
            return entry.value
        return entry.value[torch.from_numpy(data.shared.rows).to(entry.value.device)]

    def hidden(self, encoder: Encoder, data: Data, stop: int, precision: str = "fp32", *, whole: bool = False) -> Data:
        """Returns the same examples with the outputs of the frozen stages[:stop] as rows.

        A row is (T, D) without padding, or has the encoder's own shape between stages. A batch is {"hidden": Hidden},
        from which `tlbench.training.Model` continues. Hidden states that exceed `limit_bytes` stay on disk. If they do
        not fit on the disk either, or have extras that cannot be split into rows, `data` itself is returned, and the
        model runs the prefix at every step.

        Args:
            encoder: The encoder whose first stages are frozen.
            data: The rows to encode.
            stop: The number of frozen stages.
            precision: The resolved precision to compute in.
            whole: For data made by `Data.share` (which may ask for this, too): encode the full data set once and select
                these rows from the result, if the result fits. Use it if one fit reads several subsets. The values may
                differ in the last bits from those of encoding the subset alone, because rows are batched differently.

        Raises:
            PluginError: The data is augmented.
        """
        # the rows are hidden states already, so there is nothing to encode
        if isinstance(data.rows, HiddenRows):
            return data
        key = self._key(encoder, data, stop, None, precision)
        rows = None
        if data.shared is not None and (whole or data.shared.hidden):
            everything = data.shared.whole
            share = len(data) / max(1, len(everything))
            rows = self._hidden_rows(encoder, everything, replace(key, data=everything.fingerprint), share)
            rows = rows.take(data.shared.rows) if rows is not None else None
        # the subset alone may fit into memory or on disk even if the full data set does not
        if rows is None:
            rows = self._hidden_rows(encoder, data, key)
        if rows is None:
            return data
        return data.with_rows(rows, rows.collate, f"{data.fingerprint}@{key.weights}:{stop}")

    def _hidden_rows(self, encoder: Encoder, data: Data, key: Key, share: float = 1.0) -> HiddenRows | None:
        """Returns the hidden states of all rows of the data, or None if they cannot be cached."""
        # a failed attempt runs the encoder for nothing, so it is made only once
        if key in self._uncacheable:
            return None

        def make(writer: EntryWriter) -> StoredActivations | None:
            began = time.perf_counter()
            value = encode_hidden(encoder, data, key.stop, key.precision, self.limit_bytes, writer)
            # rows are written during encoding; the time of writing does not count as encoding time
            seconds = time.perf_counter() - began - writer.seconds
            return None if value is None else StoredActivations(value, seconds, value.size_bytes)

        entry = self._lookup(key, share) or self._create(key, self._file(encoder, data, key.stop, key), make, share)
        if entry is None:
            return None
        assert isinstance(entry.value, HiddenRows)
        return entry.value

    def _key(self, encoder: Encoder, data: Data, stop: int, readout: str | None, precision: str) -> Key:
        if data.augmented:
            raise PluginError("activations of augmented data are not cached: its rows differ at each look")
        # a trained prefix gets keys of its own, so that it never gets activations of the pretrained weights
        changed = self._weights.changed_digest(encoder.underlying, stop)
        weights = encoder.identity if changed is None else f"{encoder.identity}+{changed}"
        return Key(weights, data.fingerprint, stop, readout, precision, encoder.device.type)

    def _file(self, encoder: Encoder, data: Data, stop: int | None, key: Key) -> ActivationFile | None:
        """Returns the file on disk, or None for trained or random weights, which no other process will have."""
        if self.disk is None or key.weights != encoder.identity or not should_store(encoder):
            return None
        return ActivationFile(self.disk, encoder, data, stop, key.precision)

    def _lookup(self, key: Key, share: float = 1.0) -> StoredActivations | None:
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
            self._record_usage(key, entry, share, paid_seconds=0.0)
        return entry

    def _create(
        self,
        key: Key,
        file: ActivationFile | None,
        make: Callable[[EntryWriter], StoredActivations | None],
        share: float = 1.0,
    ) -> StoredActivations | None:
        """Returns an entry read from disk or computed by `make`, or None if it fits neither in memory nor on disk."""
        began = time.perf_counter()
        # Before and after, so that what encoding needs is measured alone and does not stay in the fit's memory.
        release_free_memory()
        entry = make(EntryWriter.disabled()) if file is None else file.load_or_create(make)
        if entry is not None and entry.encode_peak_bytes is None:
            release_free_memory()
        paid_seconds = time.perf_counter() - began
        if entry is None:
            self._uncacheable.add(key)
            for usage in self._usages:
                usage.encode_paid_seconds += paid_seconds
            return None
        if entry.encode_peak_bytes is not None:
            add_cached(entry.encode_peak_bytes, self._held_bytes(entry))
        # with a disk, the seconds paid include reading, verifying and waiting for another process
        self._record_usage(key, entry, share, entry.encode_seconds if file is None else paid_seconds)
        # a larger entry is returned but not kept: it would push out all others
        if entry.size_bytes <= self.limit_bytes:
            self._entries[key] = entry
            while self.size_bytes > self.limit_bytes or len(self._entries) > MAX_ENTRIES:
                self._remove(next(iter(self._entries)))
        return entry

    def _remove(self, key: Key) -> None:
        remove_cached(self._held_bytes(self._entries.pop(key)))

    def _held_bytes(self, entry: StoredActivations) -> int:
        """Returns the memory that an entry read from disk would take if this process had computed it."""
        # without the cached entry, rows beyond the limit would be mapped from the file too, so they do not count
        counts = entry.encode_peak_bytes is not None and entry.mapped_bytes <= self.limit_bytes
        return entry.mapped_bytes if counts else 0

    def _record_usage(self, key: Key, entry: StoredActivations, share: float, paid_seconds: float) -> None:
        # without sharing, the fit would have encoded only its subset, so it is charged only the subset's share
        for usage in self._usages:
            usage.read[key] = share * entry.encode_seconds
            usage.encode_paid_seconds += paid_seconds
